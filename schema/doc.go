// Package schema knows tables: the target's definitions (Catalog), which of the source's tables are replicated
// (Filter), how the server compares strings (Weigher), and what a DDL statement is and names (ParseDDL).
//
// It never applies anything: it reads the target's dictionary through a Querier and classifies text. The replicator
// asks it for filters, rowimage for tables and weights, the applier for tables, DDL classes, sessions and
// fingerprints. The SQL parser and the collation tables are used in this package only.
//
// Where it cannot be certain it says so: a key whose comparison is not known exactly is not Weighed (its table
// travels ordered), and a statement that is not understood is a change.Fault (invariant 6: what is not understood
// stops the stream at its position; skipping is the operator's written decision).
package schema
