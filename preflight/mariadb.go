package preflight

import (
	"maps"
	"slices"
	"strings"
)

// What is asked of a MariaDB source beside what is asked of each, and in its own words. Sources: MariaDB Knowledge Base,
// "Replication and Binary Log System Variables", "Global Transaction ID", "information_schema.TABLES".

// mariadbTried is the release, as server.major, that this release has been run against.
const (
	mariadbOldest = 1005
	mariadbTried  = 1011
)

func (c *checker) mariadbVersion(s *server) {
	if s.major() < mariadbOldest {
		c.want(false, Finding{
			Code: "SOURCE_VERSION", Severity: Must, Seen: s.version,
			Why: "MariaDB before 10.5 is not read: its logs and privileges are other ones, and nobody has tried", Fix: "stream from MariaDB 10.5 or later",
		})
		return
	}
	c.want(s.major() == mariadbTried, Finding{
		Code: "SOURCE_VERSION", Severity: Warn, Seen: s.version,
		Why: "10.11 has been run against a server, other releases of MariaDB have not; what is new in a log halts the stream",
		Fix: "try the stream against a copy of this server first, or stream from a replica of release 10.11",
	})
}

// mariadbSettings checks what only MariaDB has.
func (c *checker) mariadbSettings(s *server) {
	c.mariadbGTID(s)
	replica := s.vars["gtid_slave_pos"] != ""
	c.want(!replica || s.on("log_slave_updates"), Finding{
		Code: "SOURCE_LOG_SLAVE_UPDATES", Severity: Must,
		Seen: choose(replica, "a replica", "no replica") + ", log_slave_updates=" + s.vars["log_slave_updates"],
		Why:  "what the source replicates from its own source is not in its log, and never reaches the target",
		Fix:  "start mariadbd with log_slave_updates=ON; or, if it is no replica any more, SET GLOBAL gtid_slave_pos=''",
	})
	c.want(!strings.EqualFold(s.vars["mysql56_temporal_format"], "OFF"), Finding{
		Code: "SOURCE_TEMPORAL_FORMAT", Severity: Warn, Seen: "mysql56_temporal_format=" + s.vars["mysql56_temporal_format"],
		Why: "temporal columns with a fraction are then made in a format that the log does not tell, and the stream halts at the first row of such a table",
		Fix: s.setting("mysql56_temporal_format", "ON"),
	})
	oldMode, known := s.vars["old_mode"] // Since 10.6; before, utf8 is utf8mb3.
	c.want(!known || strings.Contains(strings.ToUpper(oldMode), "UTF8_IS_UTF8MB3"), Finding{
		Code: "SOURCE_OLD_MODE", Severity: Warn, Seen: "old_mode=" + oldMode,
		Why: "utf8 in a definition is then utf8mb4 on the source, and utf8mb3 on the target: columns made through the stream are narrower there, and halt it at a character of four bytes",
		Fix: s.setting("old_mode", "UTF8_IS_UTF8MB3") + "; or write utf8mb4 in definitions",
	})
	galera := s.on("wsrep_on")
	c.want(!galera || s.on("wsrep_gtid_mode"), Finding{
		Code: "SOURCE_WSREP", Severity: Warn,
		Seen: choose(galera, "wsrep_on=ON, wsrep_gtid_mode="+s.vars["wsrep_gtid_mode"], "no node of a Galera cluster"),
		Why:  "the nodes of the cluster then give one transaction different GTIDs: a position of one means nothing on another",
		Fix:  "stay with this node (source.addr must not move); for one numbering set wsrep_gtid_mode=ON and one wsrep_gtid_domain_id on all nodes, before the stream starts",
	})
	c.want(s.on("encrypt_binlog"), Finding{
		Code: "SOURCE_LOG_ENCRYPTED", Severity: Info, Seen: "encrypt_binlog=" + s.vars["encrypt_binlog"],
		Why: "the log on the source's disk is plain text; what binseal reads goes over TLS either way",
		Fix: "start mariadbd with encrypt_binlog=ON and a key management plugin, if the source's disk should not show rows",
	})
	c.want(s.on("require_secure_transport"), Finding{
		Code: "SOURCE_REQUIRE_TLS", Severity: Info, Seen: "require_secure_transport=" + s.vars["require_secure_transport"],
		Why: "binseal uses TLS whatever the server says, but other clients and replicas may connect to the source in plain text",
		Fix: s.setting("require_secure_transport", "ON") + ", or ALTER USER … REQUIRE SSL for each account",
	})
}

// mariadbGTID: GTIDs are always on, and in order only where the server insists.
func (c *checker) mariadbGTID(s *server) {
	seen := "gtid_strict_mode=" + s.vars["gtid_strict_mode"]
	if shared := sharedDomains(s.vars["gtid_binlog_state"]); len(shared) > 0 {
		seen += "; more than one server has written in domain " + strings.Join(shared, ", ")
	}
	c.want(s.on("gtid_strict_mode"), Finding{
		Code: "SOURCE_GTID_STRICT", Severity: Warn, Seen: seen,
		Why: "the numbers of a domain may then be written out of order, which a position by GTID cannot tell: the stream halts there (BS-GTID-ORDER)",
		Fix: "give each server that writes by itself a gtid_domain_id of its own; " + s.setting("gtid_strict_mode", "ON"),
	})
}

// sharedDomains are the domains of a gtid_binlog_state that more than one server has written in, sorted. The state has
// the last GTID, domain-server-number, of each domain and server.
func sharedDomains(state string) []string {
	servers := map[string]int{}
	for one := range strings.SplitSeq(state, ",") {
		if domain, _, ok := strings.Cut(strings.TrimSpace(one), "-"); ok {
			servers[domain]++
		}
	}
	maps.DeleteFunc(servers, func(_ string, n int) bool { return n < 2 })
	return slices.Sorted(maps.Keys(servers))
}

// loggedAs are MariaDB's own types and what the log makes of them: the bytes in the order of the text, as UUID_TO_BIN() and
// INET6_ATON() give them.
var loggedAs = map[string]string{"uuid": "binary(16)", "inet6": "binary(16)", "inet4": "binary(4)"}

// mariadbTables names the source's tables and columns that MySQL has no counterpart for, takes the tables out of what is
// compared, and lets the columns be compared as what the log makes of them.
func (c *checker) mariadbTables(s *server) {
	if !s.mariaDB() {
		return
	}
	var versioned, sequences []string
	for _, t := range sorted(s.tables) {
		switch t.kind {
		case versionedTable:
			versioned = append(versioned, t.name)
			delete(s.tables, t.name)
		case sequenceTable:
			sequences = append(sequences, t.name)
			delete(s.tables, t.name)
		}
	}
	c.want(len(versioned) == 0, Finding{
		Code: "SOURCE_TABLES_VERSIONED", Severity: Must, Seen: count(len(versioned), "included system-versioned table"), Objects: versioned,
		Why: "MySQL keeps no history of rows; the log has the rows of the history among the others, with two columns more, and the stream halts at the first",
		Fix: "ALTER TABLE … DROP SYSTEM VERSIONING on the source, or exclude the tables (tables.exclude) and copy them in another way",
	})
	c.want(len(sequences) == 0, Finding{
		Code: "SOURCE_SEQUENCES", Severity: Must, Seen: count(len(sequences), "included sequence"), Objects: sequences,
		Why: "MySQL has no sequences; the stream halts at the first number that is taken from one",
		Fix: "exclude them (tables.exclude), let a rule skip their definitions (ddl: {rules: [{match: {kind: \"* SEQUENCE\"}, do: skip}]}), and let the application take its numbers from elsewhere after cutover",
	})
	c.mariadbColumns(s)
}

func (c *checker) mariadbColumns(s *server) {
	var bytes, compressed, old, stored []string
	for _, t := range sorted(s.tables) {
		for i := range t.columns {
			col := &t.columns[i]
			at := t.name + "." + col.name
			if as, ok := loggedAs[col.dataType]; ok {
				bytes = append(bytes, at+": "+col.dataType+" as "+as)
				col.dataType, col.columnType = "binary", as
			}
			if col.compressed {
				compressed = append(compressed, at)
			}
			if col.stored {
				stored = append(stored, at)
			}
			if col.oldTemporal && strings.Contains(col.columnType, "(") {
				old = append(old, at+": "+col.columnType)
			}
		}
	}
	c.want(len(bytes) == 0, Finding{
		Code: "SOURCE_COLUMN_BYTES", Severity: Warn, Seen: count(len(bytes), "column") + " of a type that MySQL does not have", Objects: bytes,
		Why: "the target holds their bytes, where a client of the source reads a text; a statement that defines such a column halts the stream (BS-DDL-FAILED)",
		Fix: "give the target's table BINARY columns, by a rule that rewrites the statement (ddl.rules), and read them by BIN_TO_UUID() and INET6_NTOA(); or ALTER TABLE … MODIFY … to CHAR(36) or VARCHAR(45) on the source before the copy",
	})
	c.want(len(compressed) == 0, Finding{
		Code: "SOURCE_COLUMNS_COMPRESSED", Severity: Info, Seen: count(len(compressed), "COMPRESSED column"), Objects: compressed,
		Why: "their values are carried, and stored without compression; a statement that defines such a column halts the stream (BS-DDL-FAILED)",
		Fix: "let a rule write such a statement without COMPRESSED (ddl.rules, do: rewrite)",
	})
	c.want(len(stored) == 0, Finding{
		Code: "SOURCE_COLUMNS_GENERATED", Severity: Warn, Seen: count(len(stored), "stored generated column"), Objects: stored,
		Why: "MySQL computes some functions otherwise than MariaDB (JSON_EXTRACT()), so each row's value is proved after it is written, which costs a statement per row; the stream halts at a value that differs (BS-GENERATED-SESSION)",
		Fix: "nothing, where values do not differ; else on the target alone make it a column that is not generated (ALTER TABLE … MODIFY), until cutover",
	})
	c.want(len(old) == 0, Finding{
		Code: "SOURCE_COLUMNS_OLD_TEMPORAL", Severity: Must, Objects: old,
		Seen: count(len(old), "temporal column") + " with a fraction in the format of MariaDB 5.3",
		Why:  "the log does not tell how long their values are, and the stream halts at the first row",
		Fix:  "with mysql56_temporal_format=ON: ALTER TABLE … FORCE on the source, which makes the table anew",
	})
}
