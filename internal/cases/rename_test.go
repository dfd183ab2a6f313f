package cases

import "slices"

// databasesOnTarget are the target's names of the source's databases, sorted.
func (p *play) databasesOnTarget(source []string) []string {
	var names []string
	for _, name := range source {
		name, _ = p.r.rig.OnTarget(name, "")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// underSourceNames gives the target's tables the names that they have on the source, for a comparison, and a function
// that takes that back.
func (p *play) underSourceNames() (back func()) {
	p.t.Helper()
	if len(p.c.Config.Rename) == 0 {
		return func() {}
	}
	renamed, back := p.r.rig.UnderSourceNames(p.t, p.schemas(p.r.rig.Source))
	if renamed == 0 {
		p.t.Fatal("tables.rename names no table of the case")
	}
	return back
}
