package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
)

// prove compares both sides, looks at TLS and encryption, and prints what was seen.
func (d *demo) prove(ctx context.Context, began time.Time) error {
	differences, rows, err := testmysql.Compare(ctx, d.source.DB(), d.target.DB(), schemaName)
	if err != nil {
		return fault(change.ClassRuntime, "compare both sides", "", err)
	}
	status, err := d.daemon.status(ctx)
	if err != nil {
		return fault(change.ClassRuntime, "ask the daemon for its status", "read daemon.log", err)
	}
	atRest, err := d.atRest(ctx)
	if err != nil {
		return fault(change.ClassRuntime, "look at the target's encryption at rest", "", err)
	}
	d.out.say("")
	d.out.say("What was proven")
	for _, e := range status.Evidence {
		d.out.say("  %-6s leg    %s, %s, %s; peer %s verified (%s), certificate %s… until %s", e.Leg, e.Version, e.Cipher, e.Curve,
			e.Peer, e.Verified, e.Fingerprint[:min(16, len(e.Fingerprint))], e.NotAfter.Format(time.DateOnly))
	}
	for _, line := range atRest {
		d.out.say("  at rest       %s", line)
	}
	d.out.say("  transactions  %d written by %d clients, DDL among them", d.load.transactions.Load(), d.load.clients())
	d.out.say("  rows          %d compared, byte for byte, in every table of %s", rows, schemaName)
	d.out.say("  kills         %d SIGKILL survived", d.kills)
	d.out.say("  drain         %s from the last write to equality", round(d.caughtUpIn))
	d.out.say("  differences   %d", len(differences))
	d.out.say("  time          %s", round(time.Since(began)))
	for _, line := range differences {
		d.out.say("  DIFFERS: %s", line)
	}
	return verdict(differences, status, rows)
}

// verdict turns what was seen into the demo's result: it fails also when there was nothing to see.
func verdict(differences []string, s status, rows int64) error {
	switch {
	case len(differences) > 0:
		return fault(change.ClassPerson, fmt.Sprintf("%d tables differ between source and target", len(differences)), "keep the folder and report it", nil)
	case rows == 0:
		return fault(change.ClassRuntime, "nothing was replicated", "read daemon.log", nil)
	}
	legs := map[string]bool{}
	for _, e := range s.Evidence {
		if e.Verified != "" && strings.HasPrefix(e.Version, "TLS 1.") {
			legs[e.Leg] = true
		}
	}
	if !legs["source"] || !legs["target"] {
		return fault(change.ClassRuntime, "the daemon has no evidence of TLS on both legs", "look at /status", nil)
	}
	return nil
}

// atRest asks the target how it stores what it got, and looks into the files themselves.
func (d *demo) atRest(ctx context.Context) ([]string, error) {
	rows, err := d.target.Query(ctx, `SELECT
		(SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE 'shop/%'),
		(SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE 'shop/%' AND ENCRYPTION = 'Y'),
		@@innodb_redo_log_encrypt, @@innodb_undo_log_encrypt, @@require_secure_transport`)
	if err != nil {
		return nil, err
	}
	r := rows[0]
	if r[0] != r[1] || r[0] == "0" {
		return nil, fmt.Errorf("%s of %s tables are encrypted", r[1], r[0])
	}
	onSource, err := holdsMarker(ctx, d.source)
	if err != nil {
		return nil, err
	}
	onTarget, err := holdsMarker(ctx, d.target)
	if err != nil {
		return nil, err
	}
	if onTarget || !onSource {
		return nil, errors.New("the target's data file shows plaintext, or the source's file could not be read")
	}
	return []string{
		fmt.Sprintf("%s of %s tables encrypted; redo log %s, undo log %s; plaintext connections refused: %s", r[1], r[0], onWord(r[2]), onWord(r[3]), onWord(r[4])),
		"a customer's text is readable in the source's data file, not in the target's",
	}, nil
}

func onWord(value string) string {
	if value == "1" || value == "ON" {
		return "on"
	}
	return "OFF"
}

// holdsMarker flushes the customers' table to disk and looks for a known text in its file.
func holdsMarker(ctx context.Context, s *testmysql.Server) (found bool, err error) {
	conn, err := s.DB().Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "FLUSH TABLES shop.customers FOR EXPORT"); err != nil {
		return false, err
	}
	found, err = fileHolds(filepath.Join(s.DataDir, schemaName, "customers.ibd"), []byte(marker))
	_, unlockErr := conn.ExecContext(ctx, "UNLOCK TABLES")
	return found, errors.Join(err, unlockErr)
}

// fileHolds searches a file in pieces that overlap by the text's length.
func fileHolds(path string, text []byte) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	piece := make([]byte, 0, 1<<20)
	for {
		n, err := f.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		if bytes.Contains(piece, text) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		keep := min(len(piece), len(text)-1)
		piece = append(piece[:0], piece[len(piece)-keep:]...)
	}
}
