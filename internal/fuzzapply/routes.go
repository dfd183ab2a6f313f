package fuzzapply

import "strings"

// RouteSet is a set of entries of tables.rename, in which ${schema} stands for the case's database. A daemon has its
// routes from its start on, so the sets are few and the cases of a batch choose among them.
type RouteSet []string

// RouteSets are those that cases choose among: none, a schema, tables within it and out of it, and both together. r1 and
// r2 are names that tables get by RENAME.
var RouteSets = []RouteSet{
	{},
	{"${schema} -> ${schema}_new"},
	{"${schema}.t0 -> ${schema}.moved", "${schema}.child -> ${schema}_to.t0", "${schema}.r1 -> ${schema}_to.r1"},
	{"${schema} -> ${schema}_new", "${schema}.t0 -> ${schema}_new.t0_v2", "${schema}.r1 -> ${schema}_to.1-r", "${schema}.r2 -> ${schema}_new.t1_v2"},
}

// Entries are the set's entries for a database.
func (s RouteSet) Entries(schema string) map[string]string {
	entries := map[string]string{}
	for _, line := range s {
		from, to, _ := strings.Cut(strings.ReplaceAll(line, "${schema}", schema), " -> ")
		entries[from] = to
	}
	return entries
}

// setup makes the database that tables go to.
func (s RouteSet) setup() []string {
	if !s.scattered() {
		return nil
	}
	return []string{"CREATE DATABASE IF NOT EXISTS ${schema}_to"}
}

// scattered reports that tables of the schema are in several: DROP DATABASE of it is refused (BS-DDL-ROUTED).
func (s RouteSet) scattered() bool { return strings.Contains(strings.Join(s, " "), "${schema}_to.") }
