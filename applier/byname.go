package applier

import (
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

// ByName tells of tables, by the source's name, whether their columns stand elsewhere on the target than in the images:
// those that were last matched by name. The caller keeps it over the runs of a process; only a collector uses it.
type ByName map[schema.Name]bool

// stillNamed refuses images without column names of a table whose columns this process has seen to stand elsewhere on the
// target, once it had their names: by place, columns of like types would exchange their values without a word.
// arranged: they stand elsewhere now.
func (a *Applier) stillNamed(name schema.Name, m *change.TableMap, arranged bool) error {
	if m.Names != nil {
		a.cfg.ByName[name] = arranged
		return nil
	}
	if !a.cfg.ByName[name] {
		return nil
	}
	return &change.Fault{Code: rowimage.CodeMismatch, Class: change.ClassPerson, Where: a.cfg.Routes.Table(name).String(),
		What: "the source's log does not name the columns any more, and they have stood in another order on the target",
		Next: "set binlog_row_metadata=FULL on the source again, bring the target's columns into the source's order for what is logged without names, then start again"}
}
