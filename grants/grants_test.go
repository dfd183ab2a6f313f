package grants

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct{ got, want []string }{
		"a source": {Source(Login{User: "repl", Host: "10.0.%", Password: `it's \`}, false, []string{"shop", "%"}), []string{
			`CREATE USER 'repl'@'10.0.%' IDENTIFIED BY 'it''s \\' REQUIRE SSL`,
			"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'repl'@'10.0.%'",
			"GRANT SELECT ON `shop`.* TO 'repl'@'10.0.%'", "GRANT SELECT ON *.* TO 'repl'@'10.0.%'"}},
		"a source of MariaDB": {Source(Login{User: "repl"}, true, nil), []string{
			"CREATE USER 'repl'@'%' IDENTIFIED BY RANDOM PASSWORD REQUIRE SSL", "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'repl'@'%'"}},
		"a target by IAM": {Target(Login{User: "applier", IAM: true}, []string{"shop"}), []string{
			"CREATE USER 'applier'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL",
			"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP ON `binseal`.* TO 'applier'@'%'",
			"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, TRIGGER ON `shop`.* TO 'applier'@'%'"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestPattern(t *testing.T) {
	for glob, want := range map[string]string{"shop": "shop", "my_shop": `my\_shop`, "shop_*": `shop\_%`, "s?op": "s_op", "*": "%"} {
		if got := Pattern(glob); got != want {
			t.Errorf("%s: got %s, want %s", glob, got, want)
		}
	}
}
