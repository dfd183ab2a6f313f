package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/binseal/binseal/change"
)

// in gives tables of the default database of these tests.
func in(tables ...string) []Name {
	var names []Name
	for _, t := range tables {
		names = append(names, Name{"app", t})
	}
	return names
}

func statement(sql string) *change.Statement { return &change.Statement{SQL: sql, Database: "app"} }

func withMode(mode uint64) func(*change.Statement) {
	return func(st *change.Statement) { st.Session.SQLMode = &mode }
}

// The texts are as MySQL 9.7 writes them to its binary log, where a session sent or the server made them.
func TestParseDDL(t *testing.T) {
	both := Pair{Name{"app", "a"}, Name{"app", "b"}}
	for sql, want := range map[string]DDL{
		"create table t(id int primary key, a varchar(20) default (uuid()), b int, unique index `u` (b))": {Kind: CreateTable, Tables: in("t")},
		"create table if not exists t(id int)":                                    {Kind: CreateTable, Tables: in("t"), Idempotent: true},
		"CREATE TABLE `s` (\n  `x` int NOT NULL DEFAULT '0'\n) START TRANSACTION": {Kind: CreateTable, Tables: in("s"), OpensTransaction: true, SQL: "CREATE TABLE `s` (\n  `x` int NOT NULL DEFAULT '0'\n)"},
		"CREATE TABLE `app2`.`s` (\n  `start` int NOT NULL DEFAULT '7',\n  PRIMARY KEY (`start`)\n) START TRANSACTION COMMENT='START TRANSACTION'": {Kind: CreateTable, Tables: []Name{{"app2", "s"}}, OpensTransaction: true,
			SQL: "CREATE TABLE `app2`.`s` (\n  `start` int NOT NULL DEFAULT '7',\n  PRIMARY KEY (`start`)\n)  COMMENT='START TRANSACTION'"},
		"CREATE TABLE `c3` (\n  `id` int DEFAULT NULL\n) START TRANSACTION\n/*!50100 PARTITION BY HASH (`id`)\nPARTITIONS 2 */": {Kind: CreateTable, Tables: in("c3"), OpensTransaction: true,
			SQL: "CREATE TABLE `c3` (\n  `id` int DEFAULT NULL\n) \n/*!50100 PARTITION BY HASH (`id`)\nPARTITIONS 2 */"},
		"create table l like t":        {Kind: CreateTable, Tables: in("l", "t")},
		"create table l (like shop.t)": {Kind: CreateTable, Tables: []Name{{"app", "l"}, {"shop", "t"}}},
		"create table g(a geometry not null srid 4326, v vector(3), spatial index(a))":                                                                               {Kind: CreateTable, Tables: in("g")},
		"/* lead */ create /* c */ table -- x\n # y\n z(a int)":                                                                                                      {Kind: CreateTable, Tables: in("z")},
		"CREATE TABLE `gi` (\n  `my_row_id` bigint unsigned NOT NULL AUTO_INCREMENT /*!80023 INVISIBLE */,\n  `a` int DEFAULT NULL,\n  PRIMARY KEY (`my_row_id`)\n)": {Kind: CreateTable, Tables: in("gi")},
		"CREATE TABLE `e` (\n  `a` int\n) /*!80016 ENCRYPTION='Y' */":                                                                                                {Kind: CreateTable, Tables: in("e")},
		"CREATE TABLE `e` (a int) ENGINE=InnoDB /*!80016 ENCRYPTION='n' */":                                                                                          {Kind: CreateTable, Tables: in("e"), Unencrypted: true},
		"create table p(id int primary key) partition by range(id) (partition p0 values less than (10), partition p1 values less than maxvalue)":                     {Kind: CreateTable, Tables: in("p")},
		"create table w(a int as (1+1) stored, b int generated always as (a) virtual, comment varchar(9) comment 'as select')":                                       {Kind: CreateTable, Tables: in("w")},
		"create table c(a int, constraint f foreign key (a) references other.p(id) on delete cascade)":                                                               {Kind: CreateTable, Tables: in("c")},
		"create table mv(j json, unique mvk((cast(j as unsigned array))), unique ek((upper(b)), id)) engine_attribute='{\"a\":1}'":                                   {Kind: CreateTable, Tables: in("mv")},
		"alter table t add column c int /*!80023 INVISIBLE */, algorithm=instant":                                                                                    {Kind: AlterTable, Tables: in("t")},
		"alter table a rename to b, add column d json default (json_array())":                                                                                        {Kind: AlterTable, Tables: in("a", "b"), Rename: []Pair{both}},
		"alter table a add column d int, rename b":                                                                                                                   {Kind: AlterTable, Tables: in("a", "b"), Rename: []Pair{both}},
		"alter table app.t rename column c to cc, rename index x to y, rename key y to z":                                                                            {Kind: AlterTable, Tables: in("t")},
		"alter table g alter index a invisible":                                                                                                                      {Kind: AlterTable, Tables: in("g")},
		"alter table t engine=innodb":                                                                                                                                {Kind: AlterTable, Tables: in("t")},
		"alter table t encryption='N'":                                                                                                                               {Kind: AlterTable, Tables: in("t"), Unencrypted: true},
		"alter table t add id int auto_increment primary key, auto_increment=100":                                                                                    {Kind: AlterTable, Tables: in("t"), NumbersRows: true},
		"alter table t auto_increment=100":                                                                                                                           {Kind: AlterTable, Tables: in("t")},
		"alter table p exchange partition p0 with table shop.x without validation":                                                                                   {Kind: AlterTable, Tables: []Name{{"app", "p"}, {"shop", "x"}}, ByIDs: true},
		"alter table t add `schema` int default (month(now())), add connection_id int, add index connection_id (connection_id)":                                      {Kind: AlterTable, Tables: in("t")},
		"alter table p drop partition p0":                                                                                                                            {Kind: AlterTable, Tables: in("p")},
		"alter table p truncate partition p0":                                                                                                                        {Kind: AlterTable, Tables: in("p")},
		"alter table p analyze partition p1":                                                                                                                         {Kind: Maintenance, Tables: in("p")},
		"alter table w add constraint fkx foreign key (a) references shop.p(a), add check (a<>'z')":                                                                  {Kind: AlterTable, Tables: in("w")},
		"DROP TABLE IF EXISTS `l` /* generated by server */":                                                                                                         {Kind: DropTable, Tables: in("l"), Idempotent: true},
		"DROP TABLE `z`,`w` /* generated by server */":                                                                                                               {Kind: DropTable, Tables: in("z", "w")},
		"drop tables z, shop.w cascade;":                                                                                                                             {Kind: DropTable, Tables: []Name{{"app", "z"}, {"shop", "w"}}},
		"DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `tt`":                                                                                                            {Kind: DropTemporaryTable, Idempotent: true},
		"DROP TEMPORARY TABLE `tt` /* generated by server */":                                                                                                        {Kind: DropTemporaryTable, Idempotent: true},
		"rename table a to b":                        {Kind: RenameTable, Tables: in("a", "b"), Rename: []Pair{both}},
		"rename table a to b, shop.`x``y` to app.to": {Kind: RenameTable, Tables: []Name{{"app", "a"}, {"app", "b"}, {"shop", "x`y"}, {"app", "to"}}, Rename: []Pair{both, {Name{"shop", "x`y"}, Name{"app", "to"}}}},
		"truncate t":           {Kind: TruncateTable, Tables: in("t"), Idempotent: true},
		"truncate table app.t": {Kind: TruncateTable, Tables: in("t"), Idempotent: true},
		"create database app2": {Kind: CreateDatabase, Databases: []string{"app2"}},
		"create schema if not exists app2 default character set utf8mb4 collate utf8mb4_bin default encryption='N'": {Kind: CreateDatabase, Databases: []string{"app2"}, Idempotent: true, Unencrypted: true},
		"alter database app2 charset latin1":                        {Kind: AlterDatabase, Databases: []string{"app2"}, Idempotent: true},
		"alter database charset latin1":                             {Kind: AlterDatabase, Databases: []string{"app"}, Idempotent: true},
		"alter database charset charset latin1":                     {Kind: AlterDatabase, Databases: []string{"charset"}, Idempotent: true},
		"alter schema app2 read only=0":                             {Kind: AlterDatabase, Databases: []string{"app2"}, Idempotent: true},
		"drop database app2":                                        {Kind: DropDatabase, Databases: []string{"app2"}},
		"drop schema if exists app2":                                {Kind: DropDatabase, Databases: []string{"app2"}, Idempotent: true},
		"create index i1 on t(b)":                                   {Kind: CreateIndex, Tables: in("t")},
		"create unique index i2 on app.t((b+1))":                    {Kind: CreateIndex, Tables: in("t")},
		"create index i using btree on t(b desc) algorithm=inplace": {Kind: CreateIndex, Tables: in("t")},
		"create fulltext index f on t(a) with parser ngram":         {Kind: CreateIndex, Tables: in("t")},
		"drop index i1 on t":                                        {Kind: DropIndex, Tables: in("t")},
		"drop index `primary` on shop.t lock=none":                  {Kind: DropIndex, Tables: []Name{{"shop", "t"}}},
		"analyze table t":                                           {Kind: Maintenance, Idempotent: true},
		"optimize table t":                                          {Kind: Maintenance, Idempotent: true},
		"repair table t":                                            {Kind: Maintenance, Idempotent: true},
		"flush privileges":                                          {Kind: Maintenance, Idempotent: true},
		"alter instance rotate innodb master key":                   {Kind: Maintenance},
		"CREATE USER 'u1'@'%' IDENTIFIED WITH 'caching_sha2_password' AS '$A$00A$\x01\x7f'": {Kind: Accounts},
		"ALTER USER 'u1'@'%' IDENTIFIED WITH 'caching_sha2_password' AS 'x\ny'":             {Kind: Accounts},
		"GRANT SELECT ON `app`.* TO 'u1'@'%'":                                               {Kind: Accounts},
		"revoke select on app.* from u1":                                                    {Kind: Accounts},
		"rename user u1 to u2":                                                              {Kind: Accounts},
		"create role r1":                                                                    {Kind: Accounts},
		"set default role r1 to u2":                                                         {Kind: Accounts},
		"set password for u2='x'":                                                           {Kind: Accounts},
		"drop user u2":                                                                      {Kind: Accounts},
		"CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v` AS select a from t": {Kind: CreateView, Tables: in("v")},
		"create or replace view shop.v as select 1":                                                              {Kind: CreateView, Tables: []Name{{"shop", "v"}}, Idempotent: true},
		"ALTER ALGORITHM=MERGE DEFINER=`root`@`localhost` SQL SECURITY INVOKER VIEW `v` AS select 2":             {Kind: AlterView, Tables: in("v"), Idempotent: true},
		"drop view v":                       {Kind: DropView, Tables: in("v")},
		"drop view if exists v, w restrict": {Kind: DropView, Tables: in("v", "w"), Idempotent: true},
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `pp`(in x int)\nbegin select ')'; -- '\n if x then select 1; end if; end": {Kind: CreateRoutine, Object: Name{"app", "pp"}},
		"CREATE DEFINER=`root`@`%` FUNCTION `shop`.`ff`() RETURNS int DETERMINISTIC return 1":                                  {Kind: CreateRoutine, Object: Name{"shop", "ff"}},
		"alter procedure pp comment 'x' sql security invoker":                                                                  {Kind: AlterRoutine, Object: Name{"app", "pp"}, Idempotent: true},
		"drop function if exists ff": {Kind: DropRoutine, Object: Name{"app", "ff"}, Idempotent: true},
		"CREATE DEFINER=`root`@`localhost` trigger tr before insert on t for each row begin set new.b=1; end": {Kind: CreateTrigger, Object: Name{"app", "tr"}, Tables: in("t")},
		"drop trigger if exists app.tr": {Kind: DropTrigger, Object: Name{"app", "tr"}, Idempotent: true},
		"CREATE DEFINER=`root`@`localhost` event ev on schedule every 1 day do select 1":                   {Kind: CreateEvent, Object: Name{"app", "ev"}},
		"ALTER DEFINER=`root`@`localhost` event ev on schedule every 2 day rename to shop.ev2 do select 1": {Kind: AlterEvent, Object: Name{"app", "ev"}, Rename: []Pair{{Name{"app", "ev"}, Name{"shop", "ev2"}}}},
		"alter event ev disable on replica": {Kind: AlterEvent, Object: Name{"app", "ev"}},
		"drop event ev":                     {Kind: DropEvent, Object: Name{"app", "ev"}},
	} {
		t.Run(sql, func(t *testing.T) {
			got, err := ParseDDL(statement(sql))
			if err != nil {
				t.Fatal(err)
			}
			if want.SQL == "" {
				want.SQL = sql
			}
			if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(DDL{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Invariant 6: what is not understood stops the stream; and no fault carries the statement's text (invariant 9).
func TestParseDDLRefuses(t *testing.T) {
	for sql, want := range map[string]struct{ code, what string }{
		"create temporary table tt(a int default 'secret')":            {"BS-DDL-UNSUPPORTED", "CREATE TEMPORARY TABLE"},
		"create tablespace ts add datafile 'secret.ibd' engine=innodb": {"BS-DDL-UNSUPPORTED", "CREATE TABLESPACE"},
		"create resource group rg type=user":                           {"BS-DDL-UNSUPPORTED", "RESOURCE GROUP"},
		"create table s as select 'secret' x":                          {"BS-DDL-UNSUPPORTED", "CREATE TABLE … SELECT"},
		"create table s select 'secret' x":                             {"BS-DDL-UNSUPPORTED", "CREATE TABLE … SELECT"},
		"create table s (select 'secret' x)":                           {"BS-DDL-UNSUPPORTED", "CREATE TABLE … SELECT"},
		"create table s ((select 'secret' x))":                         {"BS-DDL-UNSUPPORTED", "CREATE TABLE … SELECT"},
		"create table s (a int) engine=innodb ignore table t":          {"BS-DDL-UNSUPPORTED", "CREATE TABLE … SELECT"},
		"create table s (a int) with x as (select 1) select * from x":  {"BS-DDL-UNSUPPORTED", "CREATE TABLE … SELECT"},
		"create table m (a int) engine=merge union=(a,b)":              {"BS-DDL-UNSUPPORTED", "UNION"},
		"alter table p exchange partition p0 for table p2":             {"BS-DDL-UNPARSABLE", "EXCHANGE PARTITION"},
		"alter table t add c bigint default (connection_id())":         {"BS-DDL-UNSUPPORTED", "CONNECTION_ID()"},
		"alter table t add (c int, d varchar(64) default (SCHEMA ()))": {"BS-DDL-UNSUPPORTED", "SCHEMA()"},
		"alter table p discard tablespace":                             {"BS-DDL-UNSUPPORTED", "TABLESPACE"},
		"alter table p add column a int, import tablespace":            {"BS-DDL-UNSUPPORTED", "TABLESPACE"},
		"insert into t values('secret')":                               {"BS-DML-STATEMENT", "INSERT"},
		"update t set a='secret'":                                      {"BS-DML-STATEMENT", "UPDATE"},
		"LOAD DATA INFILE 'secret' INTO TABLE t":                       {"BS-DML-STATEMENT", "LOAD"},
		"XA START 'secret'":                                            {"BS-XA-UNSUPPORTED", "XA"},
		"SET GLOBAL x='secret'":                                        {"BS-DDL-UNSUPPORTED", "SET"},
		"create table t(a varchar(9) default 'secret":                  {"BS-DDL-UNPARSABLE", "a statement"},
		"create table t(a int /* secret":                               {"BS-DDL-UNPARSABLE", "a statement"},
		"create table t(a int))":                                       {"BS-DDL-UNPARSABLE", "a statement"},
		"secret":                                                       {"BS-DDL-UNPARSABLE", "a statement"},
		"":                                                             {"BS-DDL-UNPARSABLE", "a statement"},
		"-- secret":                                                    {"BS-DDL-UNPARSABLE", "a statement"},
		"drop table a; drop table b":                                   {"BS-DDL-UNPARSABLE", "a DROP TABLE"},
		"rename table a b":                                             {"BS-DDL-UNPARSABLE", "a RENAME TABLE"},
		"truncate table a, b":                                          {"BS-DDL-UNPARSABLE", "a TRUNCATE TABLE"},
		"drop table 1":                                                 {"BS-DDL-UNPARSABLE", "a DROP TABLE"},
		"create definer=(secret) procedure p() select 1":               {"BS-DDL-UNPARSABLE", "a DEFINER clause"},
		"create function f returns string soname 'secret'":             {"BS-DDL-UNSUPPORTED", "loadable function"},
		"create trigger tr of t for each row set @secret=1":            {"BS-DDL-UNPARSABLE", "CREATE TRIGGER"},
		"create sequence secret":                                       {"BS-DDL-UNSUPPORTED", "CREATE SEQUENCE"},
		"drop table \xff":                                              {"BS-DDL-UNPARSABLE", "a DROP TABLE"},
	} {
		t.Run(sql, func(t *testing.T) {
			d, err := ParseDDL(statement(sql))
			f := change.FaultOf(err)
			if f == nil {
				t.Fatalf("got %+v, %v", d, err)
			}
			if f.Code != want.code || !strings.Contains(f.What, want.what) || f.Class != change.ClassPerson || f.Next == "" {
				t.Errorf("got %+v, want %s naming %s", f, want.code, want.what)
			}
			if strings.Contains(f.Error()+f.Next, "secret") {
				t.Errorf("the fault carries the statement: %v", f)
			}
		})
	}
}

func TestParseDDLFollowsTheSession(t *testing.T) {
	for sentence, test := range map[string]struct {
		sql   string
		apply func(*change.Statement)
		want  []Name // Nil: refused.
	}{
		"ANSI_QUOTES makes double quotes names":         {`drop table "q""x", "b"`, withMode(modeANSIQuotes), in(`q"x`, "b")},
		"without it they are strings, and no names":     {`drop table "q"`, withMode(0), nil},
		"NO_BACKSLASH_ESCAPES ends a string early":      {`create table w(a varchar(9) default '\')`, withMode(modeNoBackslashEscapes), in("w")},
		"without it the same text does not end":         {`create table w(a varchar(9) default '\')`, withMode(0), nil},
		"a string that looks like the end of it":        {`create table w(a varchar(99) default '\') like z -- ')`, withMode(0), in("w")},
		"no default database, a full name":              {"drop table x.y", func(st *change.Statement) { st.Database = "" }, []Name{{"x", "y"}}},
		"no default database, a short name":             {"drop table y", func(st *change.Statement) { st.Database = "" }, nil},
		"gbk with ASCII only":                           {"drop table y", func(st *change.Statement) { st.Session.CharsetClient = 28 }, in("y")},
		"gbk whose second byte is a backslash":          {"create table y(a char(3) default '\x94\x5c')", func(st *change.Statement) { st.Session.CharsetClient = 28 }, nil},
		"latin1 in a comment does no harm":              {"create table y(a int comment '\xe9')", func(st *change.Statement) { st.Session.CharsetClient = 8 }, in("y")},
		"latin1 in a name is not the name in the log":   {"drop table \xe9", func(st *change.Statement) { st.Session.CharsetClient = 8 }, nil},
		"a comment for MariaDB is a comment":            {"create table y(a int) /*!100301 like x */ /*M! like z */", withMode(0), in("y")},
		"a comment with a six-digit version is code":    {"create table y(a int) /*!080016 comment='x' */", withMode(0), in("y")},
		"a versioned comment may hide the table's name": {"alter table /*!50100 y */ add /* x */ z int", withMode(0), in("y")},
		"names outside of ASCII":                        {"drop table `é``漢`, 漢字", withMode(0), in("é`漢", "漢字")},
		"keywords behind a dot are names":               {"drop table app.table", withMode(0), in("table")},
	} {
		t.Run(sentence, func(t *testing.T) {
			st := statement(test.sql)
			test.apply(st)
			d, err := ParseDDL(st)
			if test.want == nil {
				if !change.Halts(err) {
					t.Fatalf("not refused: %+v, %v", d, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, d.Tables); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The TiDB parser must understand the common statements: else the two readers never check each other.
func TestCrossCheckSeesBothReaders(t *testing.T) {
	for _, sql := range []string{
		"create table t(id int primary key)", "create table l like t", "alter table a add b int, rename to c",
		"drop table if exists a, b.c", "rename table a to b, c to d", "truncate t", "create unique index i on t(a)",
		"drop index i on t", "create database d", "alter database d charset latin1", "drop database d",
	} {
		d, err := ParseDDL(statement(sql))
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if parseTiDB(sql, 0) == nil {
			t.Errorf("%s: the TiDB parser rejects it", sql)
		}
		for _, wrong := range []DDL{
			{Kind: AlterTable, Tables: in("other"), Databases: d.Databases},
			{Kind: d.Kind, Tables: in("other"), Databases: d.Databases},
			{Kind: d.Kind, Tables: d.Tables, Databases: []string{"other"}},
		} {
			if err := crossCheck(&wrong, statement(sql), 0); change.FaultOf(err) == nil {
				t.Errorf("%s: a reading as %s of %v %v passes", sql, wrong.Kind, wrong.Tables, wrong.Databases)
			}
		}
	}
}

func TestFiltered(t *testing.T) {
	for sentence, test := range map[string]struct {
		sql              string
		include, exclude string
		run              bool
		code             string
	}{
		"an included table":                         {"drop table a", "app.*", "", true, ""},
		"an excluded table":                         {"drop table a", "", "app.a", false, ""},
		"both in one statement":                     {"drop table a, b", "", "app.a", false, "BS-DDL-MIXED-FILTER"},
		"a rename out of the filter":                {"rename table a to tmp_a", "", "app.tmp_*", false, "BS-DDL-MIXED-FILTER"},
		"a copy of an excluded definition":          {"create table a like mysql.user", "", "", false, "BS-DDL-MIXED-FILTER"},
		"a system schema":                           {"truncate mysql.slow_log", "", "", false, ""},
		"create of a database that could match":     {"create database shop", "shop.x*", "", true, ""},
		"create of one that cannot":                 {"create database shop", "app.*", "", false, ""},
		"drop of a wholly replicated database":      {"drop database shop", "shop.*", "", true, ""},
		"drop of one that has excluded tables too":  {"drop database shop", "", "shop.tmp", false, "BS-DDL-MIXED-FILTER"},
		"drop of an excluded one":                   {"drop database shop", "", "shop", false, ""},
		"a view of an excluded name":                {"create view tmp_v as select 1", "", "app.tmp_*", false, ""},
		"a routine of an included schema":           {"create procedure p() select 1", "app.x", "", true, ""},
		"a routine of an excluded one":              {"create procedure p() select 1", "shop.*", "", false, ""},
		"a trigger of an excluded table":            {"create trigger g after insert on t for each row set @a=1", "", "app.t", false, ""},
		"accounts are skipped":                      {"drop user x", "", "", false, ""},
		"maintenance is skipped":                    {"analyze table a", "", "", false, ""},
		"a temporary table's end is skipped":        {"drop temporary table a", "", "", false, ""},
		"maintenance of a partition is skipped too": {"alter table a check partition p", "", "", false, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			d, err := ParseDDL(statement(test.sql))
			if err != nil {
				t.Fatal(err)
			}
			run, err := d.Filtered(mustFilter(t, test.include, test.exclude))
			var code string
			if f := change.FaultOf(err); f != nil {
				code = f.Code
			}
			if run != test.run || code != test.code {
				t.Errorf("got run=%v, %v", run, err)
			}
		})
	}
}

func TestWithoutDefiner(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v` AS select 1": "CREATE ALGORITHM=UNDEFINED  SQL SECURITY DEFINER VIEW `v` AS select 1",
		"create definer = 'a\\'@b'@'%' procedure p() select 'DEFINER=`x`@`y`'":                            "create  procedure p() select 'DEFINER=`x`@`y`'",
		"create definer=current_user() function f() returns int return 1":                                 "create  function f() returns int return 1",
		"create definer=root@db.example.com procedure p() select 1":                                       "create  procedure p() select 1",
		"create /*!50017 definer=`a@b`*/ procedure p() select 1":                                          "create /*!50017 */ procedure p() select 1",
		"create definer=`é`@`漢` view v as select 1":                                                       "create  view v as select 1",
		"create view v as select 1":                                                                       "",
	} {
		d, err := ParseDDL(statement(sql))
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		got, replaced := d.WithoutDefiner()
		if !replaced && got == sql {
			got = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWitnessed(t *testing.T) {
	d, err := ParseDDL(statement("rename table a to x, b to a, x to b -- swap"))
	if err != nil {
		t.Fatal(err)
	}
	got := d.Witnessed(Name{"binseal", "w_1"}, Name{"binseal", "w_1`moved"})
	want := "RENAME TABLE `app`.`a` TO `app`.`x`, `app`.`b` TO `app`.`a`, `app`.`x` TO `app`.`b`, `binseal`.`w_1` TO `binseal`.`w_1``moved`"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := (&DDL{Kind: AlterTable}).Witnessed(Name{}, Name{}); got != "" {
		t.Errorf("another kind has no witness: %s", got)
	}
}

// FuzzParseDDL: whatever the text, ParseDDL ends, does not panic, and gives a kind or a fault that needs a person.
func FuzzParseDDL(f *testing.F) {
	f.Add("create table t(a int) /*!80016 encryption='Y' */", uint64(0))
	f.Add(`alter table "a" rename to b -- x`, uint64(modeANSIQuotes))
	f.Add("drop /*!40005 temporary */ table if exists `a``b`", uint64(modeNoBackslashEscapes))
	f.Add("create table s (((select", uint64(0))
	f.Fuzz(func(t *testing.T, sql string, mode uint64) {
		st := statement(sql)
		st.Session.SQLMode = &mode
		d, err := ParseDDL(st)
		switch {
		case err != nil:
			if !change.Halts(err) {
				t.Fatalf("not a fault: %v", err)
			}
		case d.Kind == 0:
			t.Fatal("no kind")
		case !d.Kind.Skip() && len(d.Tables)+len(d.Databases) == 0 && d.Object.Table == "":
			t.Fatalf("%s without a name", d.Kind)
		}
	})
}

// A name that one column gives up and another takes may leave the definition as it was.
func TestColumnsThatTakeNames(t *testing.T) {
	for actions, want := range map[string]bool{
		"change a b int, change b a int first":                      true,
		"change column a b int after c, change column b a int":      true,
		"change `A` B int, change b a int after id":                 true,
		"drop a, rename column b to a, add b int":                   true,
		"drop column a, change b a int, add column (b int)":         true,
		"rename column a to b, rename column b to a, add x int":     true,
		"rename column a to b, rename column b to a":                false, // Their order shows it.
		"drop a, rename column b to a":                              false, // Their number shows it.
		"change a a bigint first, drop b":                           false,
		"rename column a to x, add y int first":                     false,
		"rename index a to b, rename index b to a, add x int":       false,
		"drop a, add a int":                                         false, // As often as one likes.
		"modify a int first, modify b int first":                    false,
		"add column a int comment 'change a b, change b a' after b": false,
	} {
		d, err := ParseDDL(statement("alter table t " + actions))
		if err != nil || d.ByIDs != want {
			t.Errorf("%s: by ids %v, want %v, error %v", actions, d != nil && d.ByIDs, want, err)
		}
	}
}

// On a source with lower_case_table_names=1 names mean their lower case, under which its row events have them.
func TestParseDDLFoldsNames(t *testing.T) {
	st := &change.Statement{SQL: "RENAME TABLE Shop.`T` TO U, v TO Shop.W", Database: "APP", LowerCaseNames: true}
	d, err := ParseDDL(st)
	want := []Name{{"shop", "t"}, {"app", "u"}, {"app", "v"}, {"shop", "w"}}
	if diff := cmp.Diff(want, d.Tables); err != nil || diff != "" {
		t.Errorf("error %v: %s", err, diff)
	}
	st = &change.Statement{SQL: "DROP DATABASE Shop", LowerCaseNames: true}
	if d, err = ParseDDL(st); err != nil || d.Databases[0] != "shop" {
		t.Errorf("%+v, %v", d, err)
	}
}
