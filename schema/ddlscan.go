package schema

import (
	"errors"
	"strconv"
	"strings"
)

// Bits of sql_mode that change how a statement's text is read (system_variables.h).
const (
	modeANSIQuotes         = 1 << 2
	modeNoBackslashEscapes = 1 << 20
)

// nextMajor is the first version number in a versioned comment, /*!100000 …, that no MySQL server executes:
// MariaDB writes such comments for its own versions.
const nextMajor = 100000

var errUnterminated = errors.New("a quote or comment is not closed")

// tokenKind says what a token is.
type tokenKind uint8

const (
	word   tokenKind = iota + 1 // Keyword, bare identifier or number.
	quoted                      // Quoted identifier, without its quotes.
	text                        // String literal, without its quotes; escapes are left as they are.
	punct                       // One byte of punctuation.
)

// token is one token of a statement, with the depth of the parentheses around it.
type token struct {
	kind  tokenKind
	text  string
	depth int
	at    span // Where it stands in the statement.
}

// is reports whether the token is one of the keywords, given in upper case. A quoted name is never a keyword.
func (t token) is(keywords ...string) bool {
	if t.kind != word {
		return false
	}
	for _, k := range keywords {
		if strings.EqualFold(t.text, k) {
			return true
		}
	}
	return false
}

// isPunct reports whether the token is this byte.
func (t token) isPunct(c byte) bool { return t.kind == punct && t.text[0] == c }

// scanner cuts a statement into tokens as the server's lexer does (sql_lex.cc): comments fall away, versioned
// comments are read as their content, quotes follow sql_mode.
type scanner struct {
	sql    string
	pos    int
	mode   uint64
	inBang int // Depth of versioned comments that are open.
	depth  int // Depth of parentheses.
	out    []token
}

// scan cuts a statement into its tokens. It fails on text that is not closed; it never loops: each step consumes.
func scan(sql string, mode uint64) ([]token, error) {
	s := &scanner{sql: sql, mode: mode}
	for s.pos < len(s.sql) {
		start, before := s.pos, len(s.out)
		if err := s.step(); err != nil {
			return nil, err
		}
		if len(s.out) > before {
			s.out[before].at = span{start, s.pos}
		}
	}
	if s.inBang > 0 || s.depth != 0 {
		return nil, errUnterminated
	}
	// A client may send a last semicolon.
	for len(s.out) > 0 && s.out[len(s.out)-1].isPunct(';') {
		s.out = s.out[:len(s.out)-1]
	}
	return s.out, nil
}

// step consumes white space, a comment or one token.
func (s *scanner) step() error {
	c, rest := s.sql[s.pos], s.sql[s.pos:]
	switch {
	case c == ' ' || c >= '\t' && c <= '\r':
		s.pos++
	case c == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest) - 1
		}
		s.pos += end + 1
	case strings.HasPrefix(rest, "/*"):
		return s.comment(rest)
	case s.inBang > 0 && strings.HasPrefix(rest, "*/"):
		s.inBang--
		s.pos += 2
	case c == '`', c == '"' && s.mode&modeANSIQuotes != 0:
		return s.quote(c, quoted)
	case c == '\'', c == '"':
		return s.quote(c, text)
	case isWordByte(c):
		end := 1
		for end < len(rest) && isWordByte(rest[end]) {
			end++
		}
		s.emit(word, rest[:end])
		s.pos += end
	default:
		return s.punctuation(c)
	}
	return nil
}

// isWordByte: what bare identifiers are made of. All bytes from 0x80 on count: in UTF-8 they are letters, and
// nothing else of the grammar has them.
func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// comment enters a versioned comment or jumps over another one.
func (s *scanner) comment(rest string) error {
	if strings.HasPrefix(rest, "/*!") {
		digits := 0
		for digits < 6 && 3+digits < len(rest) && rest[3+digits] >= '0' && rest[3+digits] <= '9' {
			digits++
		}
		// Five or six digits are a version; fewer belong to the content.
		if digits < 5 {
			digits = 0
		}
		version, _ := strconv.Atoi(rest[3 : 3+digits])
		if version < nextMajor {
			s.inBang++
			s.pos += 3 + digits
			return nil
		}
	}
	end := strings.Index(rest[2:], "*/")
	if end < 0 {
		return errUnterminated
	}
	s.pos += 2 + end + 2
	return nil
}

// quote reads a quoted token. A doubled quote is one; a backslash escapes in strings only.
func (s *scanner) quote(q byte, kind tokenKind) error {
	var b strings.Builder
	for i := s.pos + 1; i < len(s.sql); i++ {
		c := s.sql[i]
		switch {
		case c == '\\' && kind == text && s.mode&modeNoBackslashEscapes == 0 && i+1 < len(s.sql):
			b.WriteByte(c)
			i++
			b.WriteByte(s.sql[i])
		case c == q && i+1 < len(s.sql) && s.sql[i+1] == q:
			i++
			b.WriteByte(q)
		case c == q:
			s.emit(kind, b.String())
			s.pos = i + 1
			return nil
		default:
			b.WriteByte(c)
		}
	}
	return errUnterminated
}

// punctuation emits one byte; the parentheses themselves have the depth of what is around them.
func (s *scanner) punctuation(c byte) error {
	if c == ')' {
		s.depth--
		if s.depth < 0 {
			return errUnterminated
		}
	}
	s.emit(punct, string(rune(c)))
	if c == '(' {
		s.depth++
	}
	s.pos++
	return nil
}

func (s *scanner) emit(kind tokenKind, text string) {
	s.out = append(s.out, token{kind: kind, text: text, depth: s.depth})
}
