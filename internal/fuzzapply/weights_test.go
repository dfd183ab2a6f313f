package fuzzapply

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/internal/testmysql"
	"github.com/binseal/binseal/rowimage"
	"github.com/binseal/binseal/schema"
)

const (
	weightsRun = 3 * time.Second // Of `make test`; BINSEAL_FUZZ_FOR says another.
	sampleSize = 400             // Texts that are compared with each other under each collation.
	maxPrefix  = 3               // Prefix keys of 1 to 3 characters, and the whole text as 0.
	// leastOffered: a collation that drops out travels in order, which is right and slow; many would go unseen.
	leastOffered = 110
)

// TestFuzzApplyWeights holds the keys of text columns against the server's WEIGHT_STRING() under each collation that
// it lists: two texts are equal for us exactly when they are for the server, whole and by prefix. A collation that we
// do not weigh makes the table's class ordered.
func TestFuzzApplyWeights(t *testing.T) {
	s := testmysql.StartT(t, testmysql.Options{})
	s.Exec(t, "CREATE DATABASE w")
	facts, err := LoadFacts(t.Context(), s.DB())
	if err != nil {
		t.Fatal(err)
	}
	ids, err := schema.LoadCollations(t.Context(), s.DB())
	if err != nil {
		t.Fatal(err)
	}
	seed := firstSeed(t)
	t.Logf("BINSEAL_FUZZ_SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	offered := offeredCollations(t, s, facts, ids)
	rounds := 0
	for end := time.Now().Add(duration(t, weightsRun)); rounds == 0 || time.Now().Before(end); rounds++ {
		for charset, collations := range offered {
			texts := facts.sample(rnd, charset)
			loadTexts(t, s, charset, texts)
			for _, c := range collations {
				compareWeights(t, s, c, texts)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds", rounds)
}

// weighed is a collation that we claim to weigh.
type weighed struct {
	Collation
	layout *rowimage.Layout // Of a table with a key per prefix.
}

// offeredCollations makes a table per collation and character set, looks at its class, and gives those that are weighed.
func offeredCollations(t *testing.T, s *testmysql.Server, f *Facts, ids schema.Collations) map[string][]weighed {
	conn, err := s.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer discard(conn)
	catalog := schema.NewCatalog(conn)
	offered, n := map[string][]weighed{}, 0
	for _, c := range f.Collations {
		_, ok := schema.Weigher(ids.ID(c.Name))
		s.Exec(t, fmt.Sprintf("CREATE TABLE w.%s (s VARCHAR(30) CHARACTER SET %s COLLATE %s PRIMARY KEY)", c.Name, c.Charset, c.Name))
		table, err := catalog.Table(t.Context(), "w", c.Name)
		if err != nil {
			t.Fatal(err)
		}
		if weighs := table.Identity.Weighed && table.Class == schema.Merged; weighs != ok || !ok && table.Class != schema.Ordered {
			t.Errorf("%s: weighed %v, identity weighed %v, class %d", c.Name, ok, table.Identity.Weighed, table.Class)
		}
		if ok {
			n++
			offered[c.Charset] = append(offered[c.Charset], weighed{c, layoutOf(t, table)})
		}
	}
	if n < leastOffered {
		t.Errorf("only %d of %d collations are weighed", n, len(f.Collations))
	}
	t.Logf("%d of %d collations are weighed, the others ordered", n, len(f.Collations))
	return offered
}

// layoutOf binds a table of one text column, with keys over its prefixes beside the primary key.
func layoutOf(t *testing.T, table *schema.Table) *rowimage.Layout {
	for n := 1; n <= maxPrefix; n++ {
		table.Secondary = append(table.Secondary, &schema.Key{Name: fmt.Sprint(n), Parts: []schema.KeyPart{{Prefix: n}}, Weighed: true, NotNull: true})
	}
	const wireVarchar = 15
	meta := table.Columns[0].MaxBytes
	l, err := rowimage.Bind(&change.TableMap{Schema: "w", Table: table.Name, Types: []byte{wireVarchar}, Meta: []uint16{uint16(meta)}, Nullable: []byte{0}}, table)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sample draws texts that are alike.
func (f *Facts) sample(rnd *rand.Rand, charset string) [][]byte {
	pieces := f.Pieces[charset]
	alphabet := make([]Piece, 25)
	for i := range alphabet {
		alphabet[i] = pieces[rnd.IntN(len(pieces))]
	}
	texts := [][]byte{nil}
	for len(texts) < sampleSize {
		var text []byte
		for range rnd.IntN(5) {
			switch rnd.IntN(12) {
			case 0:
				text = append(text, strange(rnd, charset)...)
			case 1:
				text = append(text, pieces[rnd.IntN(len(pieces))].Bytes...)
			default:
				text = append(text, alphabet[rnd.IntN(len(alphabet))].Bytes...)
			}
		}
		texts = append(texts, text)
		if rnd.IntN(3) == 0 {
			want := trailers[rnd.IntN(len(trailers))]
			for _, p := range pieces {
				if p.Text == want {
					texts = append(texts, append(text[:len(text):len(text)], p.Bytes...))
				}
			}
		}
	}
	return texts
}

// strange is any character of a character set.
func strange(rnd *rand.Rand, charset string) []byte {
	switch charset {
	case "latin1":
		return []byte{byte(rnd.IntN(256))}
	case "ascii":
		return []byte{byte(rnd.IntN(128))}
	}
	top := []int{0x250, 0x600, 0x3000, 0x10000, 0x10000}
	if charset == "utf8mb4" {
		top = append(top, 0x20000, 0x110000)
	}
	r := rune(rnd.IntN(top[rnd.IntN(len(top))]))
	if r >= 0xD800 && r < 0xE000 {
		r -= 0x800 // No surrogates.
	}
	return []byte(string(r))
}

func loadTexts(t *testing.T, s *testmysql.Server, charset string, texts [][]byte) {
	var rows []string
	for i, text := range texts {
		rows = append(rows, fmt.Sprintf("(%d, %s)", i, literal(charset, text)))
	}
	s.Exec(t, "DROP TABLE IF EXISTS w.sample", fmt.Sprintf("CREATE TABLE w.sample (id INT PRIMARY KEY, s VARCHAR(30) CHARACTER SET %s)", charset),
		"INSERT INTO w.sample VALUES "+strings.Join(rows, ", "))
}

// compareWeights holds our classes of equal texts against the server's, per prefix.
func compareWeights(t *testing.T, s *testmysql.Server, c weighed, texts [][]byte) {
	t.Helper()
	query := fmt.Sprintf("SELECT WEIGHT_STRING(_%s ' ' COLLATE %s), WEIGHT_STRING(s COLLATE %s)", c.Charset, c.Name, c.Name)
	for n := 1; n <= maxPrefix; n++ {
		query += fmt.Sprintf(", WEIGHT_STRING(LEFT(s, %d) COLLATE %s)", n, c.Name)
	}
	var theirs [maxPrefix + 1][]string
	err := each(context.WithoutCancel(t.Context()), s.DB(), query+" FROM w.sample ORDER BY id", func(rows *sql.Rows) error {
		var space string
		var weights [maxPrefix + 1]string
		err := rows.Scan(&space, &weights[0], &weights[1], &weights[2], &weights[3])
		for n, w := range weights {
			// The weights of trailing spaces are there also where PAD SPACE makes them count for nothing.
			for !strings.Contains(c.Name, "_0900_") && strings.HasSuffix(w, space) {
				w = strings.TrimSuffix(w, space)
			}
			theirs[n] = append(theirs[n], w)
		}
		return err
	})
	if err != nil || len(theirs[0]) != len(texts) {
		t.Fatal(len(theirs[0]), err)
	}
	for n, key := range c.layout.Keys() {
		ofOurs, ofTheirs := map[string]int{}, map[string]int{}
		for i, text := range texts {
			ours, _, err := c.layout.AppendKey(nil, append([]byte{0, byte(len(text))}, text...), key)
			if err != nil {
				t.Errorf("%s: 0x%x: %v", c.Name, text, err)
				continue
			}
			a, seen := ofOurs[string(ours)]
			b, seenThere := ofTheirs[theirs[n][i]]
			if seen != seenThere || a != b {
				t.Errorf("%s, prefix %d: 0x%x is equal to 0x%x for us (%v), to 0x%x for the server (%v)", c.Name, n, text, texts[a], seen, texts[b], seenThere)
				return
			}
			if !seen {
				ofOurs[string(ours)], ofTheirs[theirs[n][i]] = i, i
			}
		}
	}
}
