package change

import "testing"

// FuzzParseGTIDSet: what is read as a set is written and read again as the same set.
func FuzzParseGTIDSet(f *testing.F) {
	for _, s := range []string{
		"", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7-9:tag_a:1-3:5,\n5e11fa47-71ca-11e1-9e33-c80aa9429562:9223372036854775806",
		"3E11FA47-71CA-11E1-9E33-C80AA9429562:5-1", "3e11fa47-71ca-11e1-9e33-c80aa9429562:0", "3e11fa47-71ca-11e1-9e33-c80aa9429562:t:1, 3e11fa47-71ca-11e1-9e33-c80aa9429562:t:2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := ParseGTIDSet(s)
		if err != nil {
			return
		}
		again, err := ParseGTIDSet(set.String())
		if err != nil || again.String() != set.String() {
			t.Fatalf("%q is read as %q, and that as %q, %v", s, set, again, err)
		}
		if !set.Contains(again) || !again.Contains(set) || set.Count() < 0 || set.CountMissing(again) != 0 {
			t.Errorf("%q is not the set that it is: count %d, missing %d", set, set.Count(), set.CountMissing(again))
		}
		set.Encode()
		set.Union(again)
		if set.String() != again.String() {
			t.Errorf("%q with itself is %q", again, set)
		}
	})
}
