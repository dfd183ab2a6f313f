package testmysql

import (
	"context"
	"testing"
)

// StartT is Start for a test: the server ends with the test. The folder of a failed test's server is kept and its
// path logged.
func StartT(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end := s.Close
		if t.Failed() {
			t.Logf("server %s: kept %s", s.Name, s.Dir)
			end = s.Abandon
		}
		if err := end(); err != nil {
			t.Errorf("end of server %s: %v", s.Name, err)
		}
	})
	return s
}

// Exec runs statements as root, on one connection, each one alone; the first error ends the test.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	// A Cleanup may call this when the test's own context has ended.
	if err := s.Run(context.WithoutCancel(t.Context()), statements...); err != nil {
		t.Fatal(err)
	}
}

// QueryT runs a query as root and returns its rows as text, NULL as "NULL".
func (s *Server) QueryT(t testing.TB, query string, args ...any) [][]string {
	t.Helper()
	rows, err := s.Query(context.WithoutCancel(t.Context()), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
