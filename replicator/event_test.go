package replicator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/binseal/binseal/change"
)

func TestVarlenIntegers(t *testing.T) {
	tests := map[string]struct {
		bytes    []byte
		unsigned uint64
		signed   int64
	}{
		"zero":              {[]byte{0}, 0, 0},
		"one byte":          {[]byte{0x0a}, 5, -3},
		"two bytes":         {[]byte{0x21, 0x02}, 136, 68},
		"eight bytes":       {[]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1<<56 - 1, -1 << 55},
		"nine bytes, whole": {[]byte{0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1<<64 - 2, 1<<63 - 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			u, s := cursor{rest: tc.bytes}, cursor{rest: tc.bytes}
			if got := u.varlen(); got != tc.unsigned || u.err != nil || !u.done() {
				t.Errorf("unsigned %d, %v", got, u.err)
			}
			if got := s.signedVarlen(); got != tc.signed || s.err != nil {
				t.Errorf("signed %d, %v", got, s.err)
			}
			short := cursor{rest: tc.bytes[:len(tc.bytes)-1]}
			if short.varlen(); short.err == nil {
				t.Error("a cut integer was read")
			}
		})
	}
}

func TestGTIDEvents(t *testing.T) {
	g, err := parseGTID(&event{header: header{typ: typeGTID}, body: gtidBody(42)})
	if err != nil || g.gtid != (change.GTID{UUID: testUUID, GNO: 42}) || g.committed.UnixMicro() != commitMicros {
		t.Errorf("%+v, %v", g, err)
	}
	// Another commit timestamp follows: the highest bit of the first is its mark, not a part of it.
	two := append(gtidBody(42), le(7, 7)...)
	two[len(two)-8] |= 0x80
	if g, err = parseGTID(&event{header: header{typ: typeGTID}, body: two}); err != nil || g.committed.UnixMicro() != commitMicros {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err = parseGTID(&event{header: header{typ: typeGTID}, body: gtidBody(0)}); err == nil {
		t.Error("number 0 was taken")
	}
	if g, err = parseGTID(&event{header: header{typ: typeAnonymousGTID}, body: gtidBody(0)}); err != nil || !g.gtid.IsZero() {
		t.Errorf("anonymous: %+v, %v", g, err)
	}
}

// taggedBody is a GTID_TAGGED_LOG event as MySQL 9.7 writes it, with extra fields at its end.
func taggedBody(needed byte, extra ...byte) []byte {
	body := []byte{1 << 1, 40 << 1, needed << 1, taggedFlags << 1, 0, taggedUUID << 1}
	for _, b := range testUUID {
		if b < 128 {
			body = append(body, b<<1)
		} else {
			body = append(body, b<<2|1, b>>6)
		}
	}
	body = append(body, taggedGNO<<1, 5<<2, taggedTag<<1, 4<<1)
	body = append(append(body, "blue"...), taggedLastCommitted<<1, 0, taggedSequenceNumber<<1, 1<<2, taggedImmediateTimestamp<<1, 0xff)
	body = append(append(body, le(commitMicros, 8)...), extra...)
	body[1] = byte(len(body)) << 1
	return body
}

// An event of MySQL 9.7.4: its size is that of the whole message.
func TestTaggedGTIDOfAServer(t *testing.T) {
	g, err := parseTaggedGTID([]byte("\x02p\x00\x00\x00\x02\x84ة\x02\b\xa5\x03:\"\xc5\x03E\x02\xe6\x04\xf1\x03\x00\x00\x00\x02\x04\x04\x06\ntag_1\b,\n0\f\x7f\xbae\x9e\x1e!a\x06\x10\xe9\a\x12\x83\x12\v"))
	if err != nil || g.gtid.Tag != "tag_1" || g.gtid.GNO != 1 || g.committed.Year() < 2024 {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestTaggedGTIDEvents(t *testing.T) {
	want := gtidEvent{gtid: change.GTID{UUID: testUUID, Tag: "blue", GNO: 5},
		committed: time.UnixMicro(commitMicros).UTC(), original: time.UnixMicro(commitMicros).UTC()}
	tests := map[string]struct {
		body []byte
		ok   bool
	}{
		"plain":                               {taggedBody(11), true},
		"with a newer field that may be left": {taggedBody(11, 12<<1, 1, 2, 3), true},
		"with a newer field that may not":     {taggedBody(12, 12<<1, 1, 2, 3), false},
		"of another version":                  {append([]byte{2 << 1}, taggedBody(11)[1:]...), false},
		"cut off":                             {taggedBody(11)[:40], false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseTaggedGTID(tc.body)
			if !tc.ok {
				if err == nil {
					t.Errorf("taken: %+v", got)
				}
				return
			}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(gtidEvent{})); d != "" || err != nil {
				t.Errorf("%v\n%s", err, d)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	tests := []struct {
		sql  string
		want verb
		name string
	}{
		{"BEGIN", verbBegin, ""},
		{"begin", verbBegin, ""},
		{"COMMIT", verbCommit, ""},
		{"ROLLBACK", verbRollback, ""},
		{"ROLLBACK TO `a b`", verbRollbackTo, "a b"},
		{"SAVEPOINT `A`", verbSavepoint, "a"},
		{"RELEASE SAVEPOINT x", verbRelease, "x"},
		{"XA COMMIT X'78',X'',1", verbXA, ""},
		{"INSERT INTO t VALUES (1)", verbDML, ""},
		{" /* x */ -- y\n # z\n(update t set a=1)", verbDML, ""},
		{"/*!50000 DELETE */ FROM t", verbDML, ""},
		{"/*!*/ REPLACE INTO t VALUES (1)", verbDML, ""},
		{"WITH c AS (SELECT 1) DELETE FROM t", verbDML, ""},
		{"LOAD DATA INFILE 'x' INTO TABLE t", verbDML, ""},
		{"CREATE TABLE t (a INT)", verbOther, ""},
		{"DROP /*!40005 TEMPORARY */ TABLE IF EXISTS t", verbOther, ""},
		{"BEGINNING", verbOther, ""},
		{"/* never closed", verbOther, ""},
		{"", verbOther, ""},
	}
	for _, tc := range tests {
		if got, name := classify([]byte(tc.sql)); got != tc.want || name != tc.name {
			t.Errorf("%q: verb %d %q, want %d %q", tc.sql, got, name, tc.want, tc.name)
		}
	}
}

func TestStatusVariables(t *testing.T) {
	yes, no, mode := true, false, uint64(1436549152)
	vars := []byte{qFlags2, 0, 0x40, 0, 0x0c, qSQLMode}
	vars = append(vars, le(mode, 8)...)
	vars = append(vars, qCatalogNZ, 3, 's', 't', 'd', qAutoIncrement, 2, 0, 1, 0, qCharset, 255, 0, 45, 0, 8, 1,
		qTimeZone, 6, '+', '0', '2', ':', '0', '0', qLCTimeNames, 1, 0, qCharsetDatabase, 33, 0)
	vars = append(append(vars, qTableMapForUpdate), le(1, 8)...)
	vars = append(vars, qMasterDataWritten, 1, 2, 3, 4, qInvoker, 1, 'u', 2, 'h', 'h', qUpdatedDBNames, 2, 'a', 0, 'b', 'c', 0,
		qMicroseconds, 0x40, 0xe2, 0x01, qExplicitDefaultsTS, 1, qDDLLoggedWithXID)
	vars = append(append(vars, le(77, 8)...), qDefaultCollationUTF, 255, 0, qSQLRequirePK, 0, qDefaultEncryption, 1)
	want := change.SessionContext{
		SQLMode: &mode, NoForeignKeyChecks: true, RelaxedUnique: true, AutoIsNull: true,
		CharsetClient: 255, CollationConnection: 45, CollationServer: 264, DefaultCollationUTF8MB4: 255, CollationDatabase: 33,
		TimeZone: "+02:00", LCTimeNames: 1, AutoIncrementIncrement: 2, AutoIncrementOffset: 1,
		Timestamp:          time.Date(2023, 11, 14, 22, 13, 20, 123456000, time.UTC),
		ExplicitDefaultsTS: &yes, DDLXID: 77, DefaultTableEncryption: &yes, SQLRequirePrimaryKey: &no,
	}
	got, err := parseStatusVars(vars, 1700000000)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Fatalf("%v\n%s", err, d)
	}
	if _, err := parseStatusVars(append([]byte{21}, vars...), 0); err == nil {
		t.Error("an unknown variable was skipped")
	}
	if _, err := parseStatusVars(vars[:len(vars)-1], 0); err == nil {
		t.Error("a cut variable was read")
	}
	if _, err := parseStatusVars([]byte{qUpdatedDBNames, manyDatabases, qLCTimeNames, 0, 0}, 0); err != nil {
		t.Errorf("more databases than are named: %v", err)
	}
}

func TestReplicaUUIDIsStable(t *testing.T) {
	if a, b := change.ReplicaUUID(4711), change.ReplicaUUID(4711); a != b || a == change.ReplicaUUID(4712) || a.Version() != 5 || a == uuid.Nil {
		t.Errorf("%s, %s", a, b)
	}
}
