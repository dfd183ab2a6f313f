package preflight

import (
	"fmt"
	"io"
	"strings"
)

// maxObjects bounds how many tables a finding lists in text; --json has all.
const maxObjects = 8

// Colour is how a terminal shows severities.
type Colour bool

// Whether text is written for a terminal that shows colours.
const (
	Plain    Colour = false
	Coloured Colour = true
)

// colours are the SGR parameters of severities (ECMA-48).
var colours = map[string]string{string(Must): "1;31", string(Warn): "33", string(Info): "36", "ok": "32", "ready": "1;32", "not ready": "1;31"}

// paint colours a word, which may be padded.
func (c Colour) paint(word string) string {
	if code := colours[strings.TrimSpace(word)]; c == Coloured && code != "" {
		return "\x1b[" + code + "m" + word + "\x1b[0m"
	}
	return word
}

// WriteText prints the report for a person: findings with their fixes first, then what passed, then a verdict.
func (r Report) WriteText(w io.Writer, colour Colour) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s\n", colour.paint(fmt.Sprintf("%-5s", f.Severity)), f.Code)
		fmt.Fprintf(&b, "      seen  %s\n", f.Seen)
		for i, o := range f.Objects {
			if i == maxObjects {
				fmt.Fprintf(&b, "            … and %d more (--json lists all)\n", len(f.Objects)-i)
				break
			}
			fmt.Fprintf(&b, "            %s\n", o)
		}
		fmt.Fprintf(&b, "      why   %s\n", f.Why)
		if f.Fix != "" {
			fmt.Fprintf(&b, "      fix   %s\n", f.Fix)
		}
	}
	if len(r.Findings) > 0 {
		b.WriteString("\n")
	}
	for _, p := range r.Passed {
		fmt.Fprintf(&b, "%s    %-26s %s\n", colour.paint("ok"), p.Code, p.Seen)
	}
	fmt.Fprintf(&b, "\n%s\n", r.verdict(colour))
	_, err := io.WriteString(w, b.String())
	return err
}

// Count is the number of findings of a severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func (r Report) verdict(colour Colour) string {
	verdict := "ready"
	if !r.OK {
		verdict = "not ready"
	}
	return fmt.Sprintf("%s: %d must, %d warn, %d info, %d passed, %s looked at",
		colour.paint(verdict), r.Count(Must), r.Count(Warn), r.Count(Info), len(r.Passed), count(r.Tables, "table"))
}
