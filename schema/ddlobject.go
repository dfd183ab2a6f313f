package schema

import "strings"

// object reads CREATE, ALTER and DROP of views, routines, triggers and events, and refuses the rest by name. Options
// come before the object's kind:
//
//	CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v` AS …
//	CREATE DEFINER=`root`@`localhost` PROCEDURE `p`() …
func (r *reader) object(verb string) *DDL {
	start := r.pos
	replace := verb == "CREATE" && r.acceptAll("OR", "REPLACE")
	if r.accept("ALGORITHM") && r.acceptPunct('=') {
		r.pos++
	}
	r.readDefiner()
	if r.acceptAll("SQL", "SECURITY") {
		r.pos++
	}
	var d *DDL
	switch {
	case r.accept("VIEW"):
		d = r.view(verb, replace)
	case r.accept("PROCEDURE", "FUNCTION"):
		d = r.routine(verb)
	case r.accept("TRIGGER"):
		d = r.trigger(verb)
	case r.accept("EVENT"):
		d = r.event(verb)
	default:
		r.pos = start
		return r.refuseObject(verb)
	}
	if r.fault != nil {
		return nil
	}
	d.definer = r.definer
	return d
}

// readDefiner reads DEFINER = user and remembers its place.
func (r *reader) readDefiner() {
	if !r.peek().is("DEFINER") {
		return
	}
	at := r.peek().at
	r.pos++
	if !r.acceptPunct('=') {
		r.fail(unparsable("a DEFINER clause"))
		return
	}
	if r.accept("CURRENT_USER") {
		if r.acceptPunct('(') && !r.acceptPunct(')') {
			r.fail(unparsable("a DEFINER clause"))
			return
		}
	} else if r.userPart(); r.acceptPunct('@') {
		r.userPart()
		for r.acceptPunct('.') { // A host without quotes: localhost.localdomain.
			r.userPart()
		}
	}
	if r.fault == nil {
		r.definer = span{at.from, r.tokens[r.pos-1].at.to}
	}
}

// userPart reads a user's or host's name, which may be a string.
func (r *reader) userPart() {
	if k := r.peek().kind; k != word && k != quoted && k != text {
		r.fail(unparsable("a DEFINER clause"))
		return
	}
	r.pos++
}

// view reads behind VIEW. ALTER VIEW defines it anew like CREATE OR REPLACE.
func (r *reader) view(verb string, replace bool) *DDL {
	switch verb {
	case "CREATE":
		d := &DDL{Kind: CreateView, Idempotent: r.acceptAll("IF", "NOT", "EXISTS") || replace}
		d.Tables = []Name{r.table("CREATE VIEW")}
		return d
	case "ALTER":
		return &DDL{Kind: AlterView, Idempotent: true, Tables: []Name{r.table("ALTER VIEW")}}
	}
	d := &DDL{Kind: DropView, Idempotent: r.acceptAll("IF", "EXISTS")}
	d.Tables = r.tables("DROP VIEW")
	r.accept("RESTRICT", "CASCADE")
	return r.end(d)
}

// routine reads behind PROCEDURE or FUNCTION. A loadable function (CREATE FUNCTION … SONAME) has no parentheses and
// needs a file on the server.
func (r *reader) routine(verb string) *DDL {
	switch verb {
	case "CREATE":
		d := &DDL{Kind: CreateRoutine, Idempotent: r.acceptAll("IF", "NOT", "EXISTS")}
		d.Object = r.objectName("CREATE ROUTINE")
		if r.fault == nil && !r.peek().isPunct('(') {
			return r.refuse("CREATE FUNCTION of a loadable function")
		}
		return d
	case "ALTER":
		return &DDL{Kind: AlterRoutine, Idempotent: true, Object: r.objectName("ALTER ROUTINE")}
	}
	d := &DDL{Kind: DropRoutine, Idempotent: r.acceptAll("IF", "EXISTS")}
	d.Object = r.objectName("DROP ROUTINE")
	return r.end(d)
}

// trigger reads behind TRIGGER: CREATE TRIGGER name BEFORE INSERT ON table …
func (r *reader) trigger(verb string) *DDL {
	switch verb {
	case "CREATE":
		d := &DDL{Kind: CreateTrigger, Idempotent: r.acceptAll("IF", "NOT", "EXISTS")}
		d.Object = r.objectName("CREATE TRIGGER")
		if !r.accept("BEFORE", "AFTER") || !r.accept("INSERT", "UPDATE", "DELETE") || !r.accept("ON") {
			return r.fail(unparsable("a CREATE TRIGGER"))
		}
		d.Tables = []Name{r.table("CREATE TRIGGER")}
		return d
	case "DROP":
		d := &DDL{Kind: DropTrigger, Idempotent: r.acceptAll("IF", "EXISTS")}
		d.Object = r.objectName("DROP TRIGGER")
		return r.end(d)
	}
	return r.fail(unparsable("an ALTER TRIGGER"))
}

// event reads behind EVENT. ALTER EVENT may rename, before its DO.
func (r *reader) event(verb string) *DDL {
	switch verb {
	case "CREATE":
		d := &DDL{Kind: CreateEvent, Idempotent: r.acceptAll("IF", "NOT", "EXISTS")}
		d.Object = r.objectName("CREATE EVENT")
		return d
	case "ALTER":
		d := &DDL{Kind: AlterEvent, Object: r.objectName("ALTER EVENT")}
		for r.pos < len(r.tokens) && !r.peek().is("DO") {
			if r.acceptAll("RENAME", "TO") {
				to := r.objectName("ALTER EVENT")
				d.Rename = []Pair{{d.Object, to}}
				break
			}
			r.pos++
		}
		return d
	}
	d := &DDL{Kind: DropEvent, Idempotent: r.acceptAll("IF", "EXISTS")}
	d.Object = r.objectName("DROP EVENT")
	return r.end(d)
}

// headline names what a statement begins with, such as CREATE SERVER: the kind by which a rule finds a statement
// that is not understood. It is "STATEMENT" where not even that can be told.
func headline(tokens []token) string {
	if len(tokens) == 0 || tokens[0].kind != word {
		return "STATEMENT"
	}
	verb := strings.ToUpper(tokens[0].text)
	switch verb {
	case "CREATE", "ALTER", "DROP", "RENAME":
		for _, t := range tokens[1:] {
			if t.is("TABLE", "TABLES", "DATABASE", "SCHEMA", "INDEX") || t.is(objects...) {
				return verb + " " + strings.ToUpper(t.text)
			}
		}
		return verb
	}
	for _, known := range otherVerbs {
		if verb == known {
			return verb
		}
	}
	return "STATEMENT"
}

// otherVerbs are the statements that are refused and have no object.
var otherVerbs = []string{"BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET", "INSTALL", "UNINSTALL",
	"IMPORT", "LOCK", "UNLOCK", "RESET", "CHANGE", "CLONE", "USE", "HANDLER", "SIGNAL", "PREPARE", "EXECUTE"}
