package testmysql

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDebianSourceIsDerivedFromTheMachinesOwn(t *testing.T) {
	cases := map[string]struct {
		derive func(text, suite string) (string, bool)
		text   string
		want   string
	}{
		"deb822, security archive first, suites over two lines, a comment": {
			fromDeb822,
			"Types: deb\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\nComponents: main\n\n" +
				"# a note\nTypes: deb deb-src\nURIs: http://mirror.test/debian/\nSuites: bookworm\n bookworm-updates\nComponents: main contrib\nSigned-By: /k.gpg\n",
			"Types: deb\nURIs: http://mirror.test/debian/\nSuites: sid\nComponents: main\nSigned-By: /k.gpg\n",
		},
		"deb822, keyring inline": {
			fromDeb822,
			"Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n",
			"Types: deb\nURIs: http://mirror.test/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n",
		},
		"deb822 of another vendor": {fromDeb822, "Types: deb\nURIs: https://vendor.test/node\nSuites: x\n", ""},
		"one line with options": {
			fromOneLine,
			"# deb http://old.test/debian x main\ndeb [signed-by=/k.gpg arch=amd64] http://mirror.test/debian bookworm main contrib\n",
			"deb [signed-by=/k.gpg arch=amd64] http://mirror.test/debian sid main\n",
		},
		"one line of another vendor": {fromOneLine, "deb https://vendor.test/apt stable main\n", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := c.derive(c.text, "sid")
			if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want != "") {
				t.Errorf("ok %v (-want +got):\n%s", ok, diff)
			}
		})
	}
}
