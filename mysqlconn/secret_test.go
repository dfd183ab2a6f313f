package mysqlconn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

// Invariant 9: passwords never reach a log, a metric, an error or a page.
func TestSecretNeverShows(t *testing.T) {
	const s = Secret("hunter2")
	type holder struct {
		Password Secret
		Pointer  *Secret
	}
	p := s
	h := holder{Password: s, Pointer: &p}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%5.2f", "%U"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", s, h)
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("settings", "password", s, "holder", h)
	}
	fmt.Fprint(&out, DumpSettings{Password: s}, Error{text: s.String()})
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2")} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q shows in:\n%s", leak, out.String())
		}
	}
	if string(s) != "hunter2" {
		t.Error("the conversion does not give the value")
	}
}

func TestPasswordPlaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	t.Setenv("BINSEAL_TEST_PASSWORD", "from env")
	t.Setenv("BINSEAL_TEST_EMPTY", "")
	for name, tc := range map[string]struct {
		place Password
		text  string
		mode  os.FileMode
		want  string
		code  string
	}{
		"a file is read without its line break":         {Password{File: file}, "secret \n", 0o600, "secret ", ""},
		"a file of another system too":                  {Password{File: file}, "secret\r\n", 0o440, "secret", ""},
		"only one line break is taken off":              {Password{File: file}, "secret\n\n", 0o600, "secret\n", ""},
		"a file without a line break is taken whole":    {Password{File: file}, "secret", 0o400, "secret", ""},
		"a file that everybody may read is refused":     {Password{File: file}, "secret", 0o644, "", "BS-SECRET-PERMISSIONS"},
		"a file that everybody may write is refused":    {Password{File: file}, "secret", 0o602, "", "BS-SECRET-PERMISSIONS"},
		"an empty file is refused":                      {Password{File: file}, "\n", 0o600, "", "BS-SECRET"},
		"a file that is much too large is refused":      {Password{File: file}, strings.Repeat("x", 70000), 0o600, "", "BS-SECRET"},
		"a missing file is refused":                     {Password{File: file + ".none"}, "", 0o600, "", "BS-SECRET"},
		"a folder is refused":                           {Password{File: filepath.Dir(file)}, "", 0o600, "", "BS-SECRET"},
		"an environment variable is read":               {Password{Env: "BINSEAL_TEST_PASSWORD"}, "", 0o600, "from env", ""},
		"an empty environment variable is refused":      {Password{Env: "BINSEAL_TEST_EMPTY"}, "", 0o600, "", "BS-SECRET"},
		"an environment variable not there is refused":  {Password{Env: "BINSEAL_TEST_NONE"}, "", 0o600, "", "BS-SECRET"},
		"an AWS secret without AWS support is refused":  {Password{AWSSecret: "arn:aws:…"}, "", 0o600, "", "BS-CONFIG"},
		"an IAM token without AWS support is refused":   {Password{IAM: true}, "", 0o600, "", "BS-CONFIG"},
		"two places are refused before any is asked":    {Password{File: file, IAM: true}, "secret", 0o600, "", "-"},
		"no place is refused before anything is opened": {Password{}, "", 0o600, "", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(file)
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, tc.mode); err != nil {
				t.Fatal(err)
			}
			var got Secret
			provider, err := tc.place.Provider(Providers{})
			if err == nil {
				got, err = provider(t.Context())
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("password (-want +got):\n%s", diff)
			}
			if (err != nil) != (tc.code != "") {
				t.Fatalf("error %v, want code %q", err, tc.code)
			}
			if f := change.FaultOf(err); tc.code != "" && tc.code != "-" && (f == nil || f.Code != tc.code || f.Next == "") {
				t.Errorf("got %v, want %s", err, tc.code)
			}
			if err != nil && strings.Contains(err.Error(), "secret\n") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestPasswordIsReadAtEveryDial(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	provider, err := Password{File: file}.Provider(Providers{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before", "after the rotation"} {
		if err := os.WriteFile(file, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := provider(t.Context())
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v", string(got), err)
		}
	}
}

func TestProvidersOfTheCallerAreUsed(t *testing.T) {
	fixed := func(s Secret) Provider { return staticPassword(string(s)) }
	with := Providers{
		AWSSecret: func(arn string) (Provider, error) { return fixed(Secret("of " + arn)), nil },
		IAM:       func() (Provider, error) { return fixed("token"), nil },
	}
	for want, place := range map[string]Password{"of arn:x": {AWSSecret: "arn:x"}, "token": {IAM: true}} {
		provider, err := place.Provider(with)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := provider(t.Context()); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", string(got), err, want)
		}
	}
}
