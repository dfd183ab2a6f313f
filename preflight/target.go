package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binseal/binseal/grants"
)

// targetSettings checks that the target takes writes, and over TLS alone.
func (c *checker) targetSettings(s *server) {
	c.want(s.major() >= 800, Finding{
		Code: "TARGET_VERSION", Severity: Warn, Seen: s.version,
		Why: "targets before 8.0 are not tested with this release", Fix: "use a MySQL 8.0 server or later (Aurora MySQL 3)",
	})
	var readOnly []string
	for _, name := range []string{"read_only", "super_read_only", "innodb_read_only"} {
		if s.on(name) {
			readOnly = append(readOnly, name+"=ON")
		}
	}
	c.want(len(readOnly) == 0, Finding{
		Code: "TARGET_READ_ONLY", Severity: Must,
		Seen: choose(len(readOnly) == 0, "read_only, super_read_only and innodb_read_only are off", strings.Join(readOnly, ", ")),
		Why:  "the target refuses writes; with innodb_read_only it is a reader of its cluster",
		Fix:  "connect to the writer (cluster endpoint), or SET GLOBAL super_read_only=OFF, read_only=OFF (Aurora: the read_only parameter)",
	})
	c.want(s.on("require_secure_transport"), Finding{
		Code: "TARGET_REQUIRE_TLS", Severity: Warn, Seen: "require_secure_transport=" + s.vars["require_secure_transport"],
		Why: "binseal uses TLS whatever the server says, but other clients may connect to the target in plain text",
		Fix: s.setting("require_secure_transport", "ON"),
	})
	c.want(strings.EqualFold(s.vars["default_storage_engine"], "InnoDB"), Finding{
		Code: "TARGET_ENGINE", Severity: Must, Seen: "default_storage_engine=" + s.vars["default_storage_engine"],
		Why: "a table created without ENGINE would not be transactional, and rows would not commit with the checkpoint",
		Fix: s.setting("default_storage_engine", "InnoDB"),
	})
	c.want(!s.on("sql_require_primary_key"), Finding{
		Code: "TARGET_REQUIRE_PRIMARY_KEY", Severity: Warn, Seen: "sql_require_primary_key=" + s.vars["sql_require_primary_key"],
		Why: "CREATE TABLE without a primary key in the stream would be refused, and the stream would halt there",
		Fix: s.setting("sql_require_primary_key", "OFF") + ", if the source creates such tables",
	})
	c.want(s.on("local_infile"), Finding{
		Code: "TARGET_LOCAL_INFILE", Severity: Info, Seen: "local_infile=" + s.vars["local_infile"],
		Why: "many inserted rows go by INSERT, which costs the target a quarter more than LOAD DATA LOCAL",
		Fix: s.setting("local_infile", "ON") + " until the cutover, if a catch-up should be faster",
	})
}

// bothServers checks what must fit between the two.
func (c *checker) bothServers(source, target *server) {
	c.want(source.vars["server_uuid"] != target.vars["server_uuid"], Finding{
		Code: "SAME_SERVER", Severity: Must, Seen: "server_uuid of the target is " + target.vars["server_uuid"],
		Why: "source and target are one server, or one was copied with its auto.cnf: changes would be applied to where they come from",
		Fix: "correct target.addr; on a copied server delete auto.cnf and restart",
	})
	a, okA := source.number("max_allowed_packet")
	b, okB := target.number("max_allowed_packet")
	c.want(okA && okB && b >= a, Finding{
		Code: "TARGET_MAX_ALLOWED_PACKET", Severity: Must, Seen: fmt.Sprintf("target %d bytes, source %d bytes", b, a),
		Why: "a row that the source took may not fit into a statement for the target",
		Fix: "on the target, " + target.setting("max_allowed_packet", fmt.Sprint(max(a, b))),
	})
	x, y := source.vars["lower_case_table_names"], target.vars["lower_case_table_names"]
	c.want(x == y, Finding{
		Code: "LOWER_CASE_TABLE_NAMES", Severity: Must, Seen: fmt.Sprintf("source %s, target %s", x, y),
		Why: "names that differ in case only are one table on one server and two on the other",
		Fix: "create the target with lower_case_table_names=" + x + "; it cannot be changed later",
	})
}

// targetPrivileges checks the applier's account on the control schema and on the included schemas of both servers.
func (c *checker) targetPrivileges(source, target *server) {
	missing := target.missing(grants.Control, grants.ControlSchema, "*")
	c.want(len(missing) == 0, Finding{
		Code: "TARGET_CONTROL_SCHEMA", Severity: Must, Seen: grants.ControlSchema + ".*: " + missingText(missing),
		Why: "the checkpoint is kept in a table of the target, in the same commit as the rows",
		Fix: fmt.Sprintf("GRANT %s ON `%s`.* TO %s", strings.Join(grants.Control, ", "), grants.ControlSchema, target.account()),
	})
	schemas := target.schemas()
	if source != nil {
		for _, t := range source.tables {
			schemas = append(schemas, c.options.Routes.Table(t.source).Schema)
		}
	}
	slices.Sort(schemas)
	for _, name := range slices.Compact(schemas) {
		c.schemaPrivileges(target, name)
	}
}

// schemaPrivileges takes row privileges that are given table by table, but DDL needs them on the schema: the table
// of a CREATE is not there yet.
func (c *checker) schemaPrivileges(s *server, name string) {
	missing := s.missing(grants.Rows, name, "*")
	if len(missing) > 0 {
		missing = nil
		for _, t := range sorted(s.tables) {
			if t.schema == name {
				missing = append(missing, s.missing(grants.Rows, name, t.base)...)
			}
		}
		slices.Sort(missing)
		missing = slices.Compact(missing)
		if !slices.ContainsFunc(sorted(s.tables), func(t *table) bool { return t.schema == name }) {
			missing = s.missing(grants.Rows, name, "*") // Nothing visible there: no table-level grants either.
		}
	}
	grant := grants.Schema(grants.Pattern(name), s.account())
	c.want(len(missing) == 0, Finding{
		Code: "TARGET_ROW_PRIVILEGES", Severity: Must, Seen: name + ".*: " + missingText(missing),
		Why: "row changes could not be applied", Fix: grant,
	})
	missing = s.missing(grants.DDL, name, "*")
	c.want(len(missing) == 0, Finding{
		Code: "TARGET_DDL_PRIVILEGES", Severity: Warn, Seen: name + ".*: " + missingText(missing),
		Why: "the stream would halt at a DDL statement of the source that needs them", Fix: grant,
	})
}

func missingText(missing []string) string {
	if len(missing) == 0 {
		return "all that is needed"
	}
	return "missing " + strings.Join(missing, ", ")
}

// targetHazards checks what would change rows behind the stream's back. An account without TRIGGER or EVENT sees
// none of them, which is not the same as none: that is said.
func (c *checker) targetHazards(s *server) {
	var triggers, engines, blind []string
	for _, t := range sorted(s.tables) {
		for _, name := range t.triggers {
			triggers = append(triggers, t.name+": "+name)
		}
		if !strings.EqualFold(t.engine, "InnoDB") {
			engines = append(engines, t.name+": "+t.engine)
		}
		if !s.may("TRIGGER", t.schema, t.base) {
			blind = append(blind, t.name)
		}
	}
	c.want(len(triggers) == 0, Finding{
		Code: "TARGET_TRIGGERS", Severity: Must, Seen: count(len(triggers), "visible trigger") + " on included tables", Objects: triggers,
		Why: "their effect on the source is in the log already; on the target they would fire again",
		Fix: "keep their definitions (SHOW CREATE TRIGGER), DROP TRIGGER each on the target, create them again after cutover",
	})
	c.want(len(blind) == 0, Finding{
		Code: "TARGET_TRIGGERS_VISIBLE", Severity: Warn, Objects: blind,
		Seen: choose(len(blind) == 0, "the account may see triggers",
			"unverified: the account may not see triggers on "+count(len(blind), "included table")),
		Why: "a trigger on the target would fire again for changes that the source's trigger has made",
		Fix: "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS as an administrator, or GRANT TRIGGER to " +
			s.account() + " for the check",
	})
	c.want(len(engines) == 0, Finding{
		Code: "TARGET_TABLE_ENGINE", Severity: Must, Seen: count(len(engines), "included table") + " not in InnoDB", Objects: engines,
		Why: "their rows would not commit and roll back with the checkpoint",
		Fix: "ALTER TABLE … ENGINE=InnoDB on the target",
	})
	c.targetEvents(s)
}

func (c *checker) targetEvents(s *server) {
	running := s.on("event_scheduler")
	c.want(!running || len(s.events) == 0, Finding{
		Code: "TARGET_EVENTS", Severity: Warn, Objects: s.events,
		Seen: fmt.Sprintf("event_scheduler=%s, %s enabled in included schemas", s.vars["event_scheduler"], count(len(s.events), "visible event")),
		Why:  "their effect on the source is in the log; on the target they would run a second time and the data would differ",
		Fix:  "on the target until cutover, " + s.setting("event_scheduler", "OFF") + "; or ALTER EVENT … DISABLE",
	})
	blind := slices.DeleteFunc(s.schemas(), func(name string) bool { return s.may("EVENT", name, "*") })
	if running && len(s.events) == 0 && len(blind) > 0 {
		c.want(false, Finding{
			Code: "TARGET_EVENTS_VISIBLE", Severity: Info, Objects: blind,
			Seen: "unverified: event_scheduler=ON and the account may not see events in " + count(len(blind), "included schema"),
			Why:  "events that change included tables would run on both servers",
			Fix:  "on the target until cutover, " + s.setting("event_scheduler", "OFF") + "; or look into information_schema.EVENTS as an administrator",
		})
	}
}

// atRest says what SQL can show of encryption at rest, and no more. Storage encryption (Aurora, EBS, LUKS) cannot
// be seen by SQL at all, and a tablespace's ENCRYPTION clause says nothing of the logs.
func (c *checker) atRest(s *server) {
	const code = "TARGET_AT_REST"
	if c.options.SkipAtRest {
		c.want(false, Finding{
			Code: code, Severity: Info, Seen: "not looked at: at_rest.require is skip",
			Why: "nothing is said about how the target stores its data", Fix: "",
		})
		return
	}
	if c.options.AtRest != nil {
		c.atRestPolicy(*c.options.AtRest)
		return
	}
	plain, off := s.unencrypted()
	if len(plain) == 0 && len(off) == 0 {
		c.want(true, Finding{Code: code, Seen: fmt.Sprintf("the server reports %s with ENCRYPTION='Y', and "+
			"default, redo, undo and binary log encryption on", count(len(s.tables), "included table"))})
		return
	}
	seen := "unverified: " + unencryptedText(plain, off)
	c.want(false, Finding{
		Code: code, Severity: Warn, Seen: seen, Objects: plain,
		Why: "SQL cannot prove that all data is encrypted at rest; the storage below the server may be, which SQL does not show",
		Fix: "Aurora and RDS: look at StorageEncrypted and StorageEncryptionType of the cluster; elsewhere: set the variables named, and ALTER TABLE … ENCRYPTION='Y'",
	})
}
