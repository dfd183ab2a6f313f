package startpos

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"strings"
)

// MyDumper reads the file metadata of mydumper: sections in the manner of an INI file since 0.12, indented lines below
// "SHOW MASTER STATUS:" before.
func MyDumper(text string) (Found, error) {
	const from = "mydumper's metadata"
	if !strings.Contains(text, "Finished dump at") {
		return Found{}, unreadable(from+": the dump did not finish", nil, "dump anew: tables may be missing")
	}
	own, replica := section{}, section{}
	var at section
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
		switch head := strings.ToLower(strings.Trim(line, "[]:")); head {
		case "master", "source", "show master status", "show binary log status":
			at = own
			continue
		case "replication", "show slave status", "show replica status":
			at = replica
			continue
		default:
			if strings.HasPrefix(head, "replication.") { // By channel.
				at = replica
				continue
			}
			if strings.HasPrefix(line, "[") {
				at = nil // A table's.
				continue
			}
		}
		at.take(line)
	}
	f, err := newFound(from, own.value("executed_gtid_set", "gtid"), own.value("file", "log", "source_log_file", "master_log_file"), own.value("position", "pos", "source_log_pos", "master_log_pos"))
	if err == nil && len(replica) > 0 {
		f.Notes = append(f.Notes, "the dump is of a replica: this is a place in the replica's own log; for the log of its source use the section of SHOW REPLICA STATUS (position from-show-status), or go by GTID")
	}
	return f, err
}

// section are the pairs of a text, names in lower case.
type section map[string]string

// take takes a line "name = value" or "name: value".
func (s section) take(line string) {
	if s == nil {
		return
	}
	i := strings.IndexAny(line, "=:")
	if i <= 0 {
		return
	}
	name, value := strings.ToLower(strings.TrimSpace(line[:i])), strings.Trim(strings.TrimSpace(line[i+1:]), `"'`)
	if _, known := s[name]; !known && value != "" {
		s[name] = value
	}
}

func (s section) value(names ...string) string {
	for _, name := range names {
		if v := s[name]; v != "" {
			return v
		}
	}
	return ""
}

var (
	logFile     = regexp.MustCompile(`(?i)(?:MASTER|SOURCE)_LOG_FILE\s*=\s*'([^']+)'`)
	logPos      = regexp.MustCompile(`(?i)(?:MASTER|SOURCE)_LOG_POS\s*=\s*(\d+)`)
	gtidPurged  = regexp.MustCompile(`(?is)GTID_PURGED\s*=\s*(?:/\*!\d+\s*'\+'\s*\*/)?\s*'([^']*)'`)
	slavePos    = regexp.MustCompile(`(?i)gtid_slave_pos\s*=\s*'([^']*)'`)
	dumpContent = regexp.MustCompile(`(?m)^(INSERT INTO|LOCK TABLES)`)
)

// MySQLDump reads the head of a dump: the commented or executed CHANGE MASTER TO or CHANGE REPLICATION SOURCE TO of
// --source-data, SET @@GLOBAL.GTID_PURGED, and MariaDB's SET GLOBAL gtid_slave_pos. It reads up to the first data.
//
// GTID_PURGED without a file and position was read without a lock: with --single-transaction alone mysqldump begins its
// snapshot first and asks for the set later, so that the set may hold transactions that the dump does not have (MySQL bug
// 33630199). It is taken only of a server that was quiescent: that took no writes meanwhile.
func MySQLDump(r io.Reader, quiescent bool) (Found, error) {
	const from = "the dump's head"
	var head strings.Builder
	in := bufio.NewReader(io.LimitReader(r, maxText))
	for {
		line, err := in.ReadString('\n')
		if dumpContent.MatchString(line) {
			break
		}
		head.WriteString(line)
		if err != nil {
			break
		}
	}
	text := head.String()
	one := func(form *regexp.Regexp) (string, error) {
		found := ""
		for _, m := range form.FindAllStringSubmatch(text, -1) {
			if found != "" && m[1] != found {
				return "", unreadable(from+": it names two different positions (--dump-replica beside --source-data?)", nil, "give the lines of the one that is of the stream's source")
			}
			found = m[1]
		}
		return found, nil
	}
	var parts [4]string
	for i, form := range []*regexp.Regexp{gtidPurged, slavePos, logFile, logPos} {
		var err error
		if parts[i], err = one(form); err != nil {
			return Found{}, err
		}
	}
	gtid := parts[0]
	if gtid == "" {
		gtid = parts[1]
	}
	if gtid != "" && parts[2] == "" && !quiescent {
		return Found{}, unreadable(from+": its GTID set was read without a lock and may hold transactions that the dump does not have: their rows would be lost", nil,
			"dump with --source-data=2 --single-transaction (where FLUSH TABLES WITH READ LOCK is refused, as on RDS: dump a replica or a restored copy that takes no writes), or say --quiescent if the server took no writes while it was dumped")
	}
	f, err := newFound(from, gtid, parts[2], parts[3])
	if err == nil {
		f.Notes = append(f.Notes, "the position is the dump's only if it was made with --single-transaction or --lock-all-tables")
	}
	return f, err
}

// MySQLShell reads @.json of util.dumpInstance, dumpSchemas or dumpTables. done tells whether @.done.json stands beside
// it.
func MySQLShell(text string, done bool) (Found, error) {
	const from = "@.json of MySQL Shell"
	var meta struct {
		GTIDExecuted             string
		GTIDExecutedInconsistent bool
		Consistent               *bool
		BinlogFile               string
		BinlogPosition           json.Number
		Source                   struct {
			Sysvars struct {
				ServerUUID string `json:"server_uuid"`
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return Found{}, unreadable(from+": it is not JSON", err, "give the file @.json of the dump's folder")
	}
	switch {
	case !done:
		return Found{}, unreadable(from+": there is no @.done.json beside it: the dump did not finish", nil, "dump anew, or give the path of @.json in the dump's folder instead of its text")
	case meta.Consistent != nil && !*meta.Consistent:
		return Found{}, unreadable(from+": the dump was made with consistent: false: it has no one position", nil, "dump anew with consistent: true")
	}
	gtid := meta.GTIDExecuted
	if meta.GTIDExecutedInconsistent {
		gtid = ""
	}
	f, err := newFound(from, gtid, meta.BinlogFile, meta.BinlogPosition.String())
	f.ServerUUID = meta.Source.Sysvars.ServerUUID
	if err == nil && meta.GTIDExecutedInconsistent {
		f.Notes = append(f.Notes, "its GTID set is marked as inconsistent, and was passed over")
	}
	return f, err
}

// ShowStatus reads what SHOW BINARY LOG STATUS, SHOW MASTER STATUS or SHOW REPLICA STATUS has printed: with \G, as a
// drawn table, or divided by tabs.
func ShowStatus(text string) (Found, error) {
	const from = "SHOW … STATUS"
	s, rows := rowsOf(text)
	if rows > 1 {
		return Found{}, unreadable(from+": it has more than one row, as of a replica with several channels", nil, "give the row of the channel whose source the stream reads")
	}
	file, pos := s.value("relay_source_log_file", "relay_master_log_file"), s.value("exec_source_log_pos", "exec_master_log_pos")
	if file == "" {
		f, err := newFound(from, s.value("executed_gtid_set"), s.value("file"), s.value("position"))
		if err == nil {
			f.Notes = append(f.Notes, "it is the load's position only if nothing was written between the load and this statement")
		}
		return f, err
	}
	f, err := newFound(from+" of a replica", s.value("executed_gtid_set", "gtid_slave_pos"), file, pos)
	f.ServerUUID = s.value("source_uuid", "master_uuid")
	if running := s.value("replica_sql_running", "slave_sql_running"); err == nil && !strings.EqualFold(running, "No") {
		return f, unreadable(from+": the replica was still applying: the position has moved on since", nil, "stop its applier (STOP REPLICA SQL_THREAD, mysql.rds_stop_replication), ask again, and take the load while it stands")
	}
	if err == nil && f.GTID != "" {
		f.Notes = append(f.Notes, "the GTID set is all that the replica has, its own transactions among them: the source must have them too")
	}
	return f, err
}

// rowsOf gives the columns of a printed row.
func rowsOf(text string) (s section, rows int) {
	s = section{}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		divider := "\t"
		if strings.HasPrefix(strings.TrimSpace(line), "|") {
			divider = "|"
		}
		names := cells(line, divider)
		if len(names) < 2 || !strings.EqualFold(names[0], "File") && !strings.Contains(strings.ToLower(line), "_log_file") {
			continue
		}
		for _, row := range lines[i+1:] {
			if values := cells(row, divider); len(values) > 1 && len(values) <= len(names) { // Empty ones at the end may be cut.
				rows++
				for j, value := range values {
					s[strings.ToLower(names[j])] = value
				}
			}
		}
		return s, rows
	}
	name := ""
	for _, line := range lines { // As \G prints it; a long set goes on in the next lines.
		if around.MatchString(line) {
			name = ""
		} else if i := strings.Index(line, ": "); i > 0 && columnName.MatchString(strings.TrimSpace(line[:i])) {
			name = strings.ToLower(strings.TrimSpace(line[:i]))
			if name == "file" || strings.HasPrefix(name, "relay_") && strings.HasSuffix(name, "_log_file") && name != "relay_log_file" {
				rows++
			}
			s[name] = strings.TrimSpace(line[i+2:])
		} else if i := strings.TrimSpace(line); strings.HasSuffix(i, ":") && columnName.MatchString(strings.TrimSuffix(i, ":")) {
			name = ""
		} else if name != "" {
			s[name] += strings.TrimSpace(line)
		}
	}
	return s, rows
}

// around is what the client prints before and behind a row.
var around = regexp.MustCompile(`^\*{5,}|^\d+ rows? in set|^mysql> `)

var columnName = regexp.MustCompile(`^[A-Za-z][A-Za-z_]+$`)

func cells(line, divider string) []string {
	if divider == "|" {
		line = strings.Trim(strings.TrimSpace(line), "|")
	}
	parts := strings.Split(line, divider)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
