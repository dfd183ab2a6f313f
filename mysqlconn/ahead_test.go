package mysqlconn

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Every connection that was made is taken or ended, and what stood in the way of the first may be gone for the second.
func TestConnectionsMadeAhead(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration // To connect.
		fails int           // How many attempts.
		waits time.Duration // Behind Begin, until Take; none at all below 0.
		taken int           // Number of the attempt whose connection is taken; 0 when Take fails or is not called.
		ended []int
	}{
		"fresh":                         {takes: time.Second, waits: 2 * time.Second, taken: 1},
		"under way":                     {takes: 2 * time.Second, waits: time.Second, taken: 1},
		"not fresh any more":            {takes: time.Second, waits: freshFor, taken: 2, ended: []int{1}},
		"long under way":                {takes: freshFor, waits: 0, taken: 2, ended: []int{1}},
		"failed, and does not any more": {fails: 1, waits: time.Second, taken: 2},
		"fails":                         {fails: 2, waits: time.Second},
		"taken by nobody":               {waits: -1, ended: []int{1}},
		"failed, and taken by nobody":   {fails: 1, waits: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, refused := 0, errors.New("refused")
				var ended []int
				a := NewAhead(func(context.Context) (int, error) {
					attempts++
					n := attempts
					time.Sleep(c.takes)
					if n <= c.fails {
						return 0, refused
					}
					return n, nil
				}, func(n int) { ended = append(ended, n) })
				ctx, cancel := context.WithCancel(t.Context())
				go a.Begin(ctx)
				if c.waits >= 0 {
					time.Sleep(c.waits)
					if n, err := a.Take(ctx); n != c.taken || (err == nil) != (c.taken > 0) {
						t.Errorf("took %d, %v, want %d", n, err, c.taken)
					}
				}
				synctest.Wait()
				cancel()
				synctest.Wait()
				if !slices.Equal(ended, c.ended) {
					t.Errorf("ended %v, want %v", ended, c.ended)
				}
			})
		})
	}
}

// A start that is given up waits for no connection.
func TestTakingEndsWithItsContext(t *testing.T) {
	a := NewAhead(func(context.Context) (int, error) { return 0, nil }, func(int) {})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("given up")
	cancel(why)
	if _, err := a.Take(ctx); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}
