package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binseal/binseal/change"
)

func TestSessionStatements(t *testing.T) {
	no := false
	for sentence, test := range map[string]struct {
		c    change.SessionContext
		want []string
	}{
		"an event that carries nothing still has flags": {change.SessionContext{}, []string{
			"SET SESSION foreign_key_checks=1", "SET SESSION unique_checks=1", "SET SESSION sql_auto_is_null=0", "SET SESSION lc_time_names=0",
			"SET SESSION default_collation_for_utf8mb4=45", "SET SESSION auto_increment_increment=1", "SET SESSION auto_increment_offset=1"}},
		"everything": {change.SessionContext{
			SQLMode: bits(1<<2 | 1<<19 | 1<<32), NoForeignKeyChecks: true, RelaxedUnique: true, AutoIsNull: true,
			CharsetClient: 8, CollationConnection: 255, CollationServer: 45, DefaultCollationUTF8MB4: 45, CollationDatabase: 8,
			TimeZone: "Europe/Berlin", AutoIncrementIncrement: 2, AutoIncrementOffset: 3,
			Timestamp: time.Unix(1700000000, 1234000), ExplicitDefaultsTS: &no, DefaultTableEncryption: &no, SQLRequirePrimaryKey: &no,
		}, []string{
			"SET SESSION sql_mode='ANSI_QUOTES,NO_AUTO_VALUE_ON_ZERO,TIME_TRUNCATE_FRACTIONAL'",
			"SET SESSION foreign_key_checks=0", "SET SESSION unique_checks=0", "SET SESSION sql_auto_is_null=1", "SET SESSION lc_time_names=0",
			"SET SESSION character_set_client=8", "SET SESSION collation_connection=255", "SET SESSION collation_server=45",
			"SET SESSION default_collation_for_utf8mb4=45", "SET SESSION auto_increment_increment=2", "SET SESSION auto_increment_offset=3",
			"SET SESSION time_zone='Europe/Berlin'", "SET SESSION timestamp=1700000000.001234", "SET SESSION explicit_defaults_for_timestamp=0"}},
		"a statement of 8.0 that makes no TIMESTAMP leaves those that are there alone": {change.SessionContext{DDLXID: 7}, []string{
			"SET SESSION foreign_key_checks=1", "SET SESSION unique_checks=1", "SET SESSION sql_auto_is_null=0", "SET SESSION lc_time_names=0",
			"SET SESSION default_collation_for_utf8mb4=45", "SET SESSION auto_increment_increment=1", "SET SESSION auto_increment_offset=1", "SET SESSION explicit_defaults_for_timestamp=1"}},
		"bits of 5.7 without effect on definitions fall away": {change.SessionContext{SQLMode: bits(1<<28 | 1<<13 | 1<<21)}, []string{
			"SET SESSION sql_mode='STRICT_TRANS_TABLES'", "SET SESSION foreign_key_checks=1", "SET SESSION unique_checks=1", "SET SESSION sql_auto_is_null=0", "SET SESSION lc_time_names=0",
			"SET SESSION default_collation_for_utf8mb4=45", "SET SESSION auto_increment_increment=1", "SET SESSION auto_increment_offset=1"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := SessionStatements(test.c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func bits(mode uint64) *uint64 { return &mode }

func TestSessionStatementsRefuses(t *testing.T) {
	for sentence, test := range map[string]struct {
		c    change.SessionContext
		code string
	}{
		"an unknown bit of sql_mode":        {change.SessionContext{SQLMode: bits(1 << 40)}, "BS-DDL-UNSUPPORTED"},
		"MAXDB of 5.7 changes types":        {change.SessionContext{SQLMode: bits(1 << 12)}, "BS-DDL-UNSUPPORTED"},
		"the zone of the source's machine":  {change.SessionContext{TimeZone: "SYSTEM"}, "BS-DDL-TIMEZONE"},
		"a zone that would end the literal": {change.SessionContext{TimeZone: "x', sql_log_bin=0"}, "BS-DDL-UNSUPPORTED"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := SessionStatements(test.c)
			if f := change.FaultOf(err); f == nil || f.Code != test.code || strings.Contains(f.Error(), "sql_log_bin") {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestSystemZone(t *testing.T) {
	for name, want := range map[string]string{"UTC": "+00:00", "GMT": "", "CET": "", "": ""} {
		if got, ok := SystemZone(name); got != want || ok != (want != "") {
			t.Errorf("SystemZone(%q) = %q, %v", name, got, ok)
		}
	}
}
