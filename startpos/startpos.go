// Package startpos reads the position in the source's log that an initial load has recorded: a backup's or a dump's
// metadata, an event of RDS, what SHOW … STATUS has printed. It takes texts and gives a place; whether the source still
// has it is stream's to check. It never guesses: a text with two answers, or of a load that did not finish, is refused.
// cmd calls it for `binseal position from-…`.
package startpos

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/binseal/binseal/change"
)

// Found is the position of a load.
type Found struct {
	GTID       string          `json:"gtid,omitempty"`        // All transactions that the load has; "" where it does not tell.
	Pos        change.Position `json:"pos"`                   // The first event that the load does not have; zero where it does not tell.
	ServerUUID string          `json:"server_uuid,omitempty"` // The server whose log it is, where the text tells.
	From       string          `json:"from"`                  // Where in the text it stands.
	Notes      []string        `json:"notes,omitempty"`       // What a person should know of it.
}

// maxText bounds what is read of a metadata file, and of a dump's head.
const maxText = 8 << 20 // Bytes; a set of a thousand servers is far below.

// Text reads a metadata file whole.
func Text(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return "", unreadable("the text cannot be read", err, "check the file")
	}
	if len(b) > maxText {
		return "", unreadable("the text is above 8 MiB: this is no metadata", nil, "name the file that the page of this command names")
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n"), nil
}

func unreadable(what string, cause error, next string) error {
	return &change.Fault{Code: "BS-START-UNREADABLE", Class: change.ClassConfig, What: what, Err: cause, Next: next}
}

// newFound checks the parts that a text gave. gtid and file may be empty, not both.
func newFound(from, gtid, file, pos string) (Found, error) {
	f := Found{From: from}
	if gtid = strings.Join(strings.Fields(gtid), ""); gtid != "" {
		set, err := change.ParseGTIDSet(gtid)
		if err != nil {
			return f, unreadable(from+": the GTID set is not one", nil, "look whether the text was cut; a set is uuid:1-100,…, or of MariaDB 0-1-100,…")
		}
		f.GTID = set.String()
	}
	if file != "" {
		n, err := strconv.ParseUint(pos, 10, 64)
		if err != nil || n < 4 || change.FileNumber(file) == 0 {
			return f, unreadable(from+": the file and position are not a place in a binary log", err, "look whether the text was cut; a place is a file such as binlog.000003 and a position of 4 or more")
		}
		f.Pos = change.Position{File: file, Pos: n}
	}
	if f.GTID == "" && f.Pos.IsZero() {
		return f, unreadable(from+": there is no position in it", nil, "the load was made without one, as when the server wrote no binary log or the account may not ask (REPLICATION CLIENT): load anew with it")
	}
	return f, nil
}

var (
	crashRecovery = regexp.MustCompile(`Binlog position from crash recovery is ([^\s"]+) (\d+)`)
	switchover    = regexp.MustCompile(`Binary log coordinates in green environment after switchover:\s*file ([^\s"]+) and position (\d+)`)
)

// RDSEvent reads the events of an instance, as text, JSON or the console shows them: after a restore or a clone "Binlog
// position from crash recovery is FILE POS", after a blue/green switchover "Binary log coordinates in green environment
// after switchover: file FILE and position POS" (facts: the Aurora guide; the Database Blog).
func RDSEvent(text string) (Found, error) {
	restored, switched := places(crashRecovery, text), places(switchover, text)
	switch {
	case len(switched) == 1:
		f, err := newFound("event of a blue/green switchover", "", switched[0][0], switched[0][1])
		f.Notes = append(f.Notes, "it is a place in the log of the new (green) server: the stream must read that one")
		if len(restored) > 0 {
			f.Notes = append(f.Notes, "the events of crash recovery were passed over: on a green server they tell of the begin of its staging")
		}
		return f, err
	case len(switched) == 0 && len(restored) == 1:
		f, err := newFound("event of a crash recovery", "", restored[0][0], restored[0][1])
		f.Notes = append(f.Notes, "it is a place in the log of the cluster that the snapshot or clone was made of",
			"if that cluster ran enhanced binlog before Aurora MySQL 8.4.8, do not trust it (its release notes): take the GTID set of the restored cluster instead")
		return f, err
	case len(restored)+len(switched) == 0:
		return Found{}, unreadable("no event in it names a position", nil, "take the events of the new cluster's writer instance, of the time when it was restored; RDS keeps them for 14 days")
	}
	return Found{}, unreadable(fmt.Sprintf("%d events name different positions", len(restored)+len(switched)), nil, "give the one event of the restore from which the target was made")
}

// places are the different matches.
func places(form *regexp.Regexp, text string) [][2]string {
	var all [][2]string
	seen := map[[2]string]bool{}
	for _, m := range form.FindAllStringSubmatch(text, -1) {
		p := [2]string{m[1], m[2]}
		if !seen[p] {
			seen[p], all = true, append(all, p)
		}
	}
	return all
}

// XtraBackup reads xtrabackup_binlog_info (mariadb_backup_binlog_info): file, position and maybe a GTID set, by tabs; the
// set may go on in further lines.
func XtraBackup(text string) (Found, error) {
	const from = "xtrabackup_binlog_info"
	fields := strings.SplitN(strings.TrimSpace(text), "\t", 3)
	if len(fields) < 2 || strings.Contains(fields[0], "\n") {
		return Found{}, unreadable(from+": it is not a file and a position, divided by a tab", nil, "give the file xtrabackup_binlog_info of the backup's folder")
	}
	gtid := ""
	if len(fields) == 3 {
		gtid = fields[2]
	}
	f, err := newFound(from, gtid, fields[0], strings.TrimSpace(fields[1]))
	if err == nil && gtid == "" {
		f.Notes = append(f.Notes, "if the backup was of a replica, this is a place in the replica's own log")
	}
	return f, err
}
