//go:build crashpoints

package applier

import "os"

// In the tests' builds a few rows travel as many do, where BINSEAL_FEW_ARE_MANY asks for it: no test has as many.
func init() {
	if os.Getenv("BINSEAL_FEW_ARE_MANY") != "" {
		loadFrom, alikeFrom, rangeFrom = 1, 2, 2
	}
}
