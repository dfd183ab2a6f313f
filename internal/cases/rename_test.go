package cases

import (
	"slices"
	"strings"
)

// databasesOnTarget are the target's names of the source's databases, sorted.
func (p *play) databasesOnTarget(source []string) []string {
	var names []string
	for _, name := range source {
		name, _ = p.c.Config.onTarget(name, "")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// underSourceNames gives the target's tables the names that they have on the source, for a comparison, and a function
// that takes that back. The stream stands still meanwhile.
func (p *play) underSourceNames() (back func()) {
	p.t.Helper()
	if len(p.c.Config.Rename) == 0 {
		return func() {}
	}
	target := p.r.rig.Target
	var there, away []string
	made := map[string]bool{}
	for _, row := range p.r.rig.Source.QueryT(p.t, "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND TABLE_SCHEMA IN ('"+
		strings.Join(p.schemas(p.r.rig.Source), "','")+"')") {
		database, table := p.c.Config.onTarget(row[0], row[1])
		if database == row[0] && table == row[1] {
			continue
		}
		there = append(there, "`"+database+"`.`"+table+"` TO `"+row[0]+"`.`"+row[1]+"`")
		away = append(away, "`"+row[0]+"`.`"+row[1]+"` TO `"+database+"`.`"+table+"`")
		if !slices.Contains(p.schemas(target), row[0]) {
			target.Exec(p.t, "CREATE DATABASE `"+row[0]+"`")
			made[row[0]] = true
		}
	}
	if len(there) == 0 {
		p.t.Fatal("tables.rename names no table of the case")
	}
	target.Exec(p.t, "RENAME TABLE "+strings.Join(there, ", "))
	return func() {
		target.Exec(p.t, "RENAME TABLE "+strings.Join(away, ", "))
		for name := range made {
			target.Exec(p.t, "DROP DATABASE `"+name+"`")
		}
	}
}
