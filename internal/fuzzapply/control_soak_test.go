//go:build soak

package fuzzapply

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/internal/chaos"
)

// The negative control: a fuzzer that does not see a build which compares keys as bytes proves nothing about the real
// one. Backlogs must find it: only where changes merge does the daemon compare keys itself.
func TestSoakFuzzApplySeesKeysComparedAsBytes(t *testing.T) {
	rig := newRig(t)
	rig.Mode = "split"
	facts, err := LoadFacts(t.Context(), rig.Source.DB())
	if err != nil {
		t.Fatal(err)
	}
	// Only where two texts with other bytes are one key can the build be seen: the fewer other collations, the sooner.
	facts.Collations = slices.DeleteFunc(facts.Collations, func(c Collation) bool { return !strings.HasSuffix(c.Name, "_ci") })
	f := &fuzzer{Generator: facts.Generator(), player: &player{rig: rig, t: t, build: chaos.WeakCollation}, seed: firstSeed(t)}
	found := f.until(time.Now().Add(20 * time.Minute))
	if found == nil {
		t.Fatalf("nothing found in %d cases", f.player.tally.cases)
	}
	t.Logf("found, and shrunk to %d changes: %s", len(found.Changes), found.verdict)
}
