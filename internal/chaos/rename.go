package chaos

import (
	"slices"
	"strings"
	"testing"
)

// OnTarget is the target's name of a database, or with a table that of the table's database and the table, by Rename.
func (r *Rig) OnTarget(database, table string) (string, string) {
	if to, ok := r.Rename[database+"."+table]; ok {
		database, table, _ = strings.Cut(to, ".")
		return database, table
	}
	if to, ok := r.Rename[database]; ok {
		return to, table
	}
	return database, table
}

// UnderSourceNames gives the target's tables of these databases of the source the names that they have there, for a
// comparison. It says how many, and gives a function that takes that back. The stream stands still meanwhile.
func (r *Rig) UnderSourceNames(t testing.TB, databases []string) (renamed int, back func()) {
	t.Helper()
	var there, away []string
	made := map[string]bool{}
	known := r.Target.QueryT(t, "SHOW DATABASES")
	for _, row := range r.Source.QueryT(t, "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND TABLE_SCHEMA IN ('"+
		strings.Join(databases, "','")+"')") {
		database, table := r.OnTarget(row[0], row[1])
		if database == row[0] && table == row[1] {
			continue
		}
		there = append(there, "`"+database+"`.`"+table+"` TO `"+row[0]+"`.`"+row[1]+"`")
		away = append(away, "`"+row[0]+"`.`"+row[1]+"` TO `"+database+"`.`"+table+"`")
		if !made[row[0]] && !slices.ContainsFunc(known, func(k []string) bool { return k[0] == row[0] }) {
			r.Target.Exec(t, "CREATE DATABASE `"+row[0]+"`")
			made[row[0]] = true
		}
	}
	if len(there) == 0 {
		return 0, func() {}
	}
	r.Target.Exec(t, "RENAME TABLE "+strings.Join(there, ", "))
	return len(there), func() {
		r.Target.Exec(t, "RENAME TABLE "+strings.Join(away, ", "))
		for name := range made {
			r.Target.Exec(t, "DROP DATABASE `"+name+"`")
		}
	}
}
