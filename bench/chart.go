package bench

import (
	"fmt"
	"html"
	"strings"
)

// chart draws a workload's transactions per second as bars, as SVG.
func (r *Results) chart(w *Workload) string {
	const (
		width, left, bar, gap = 760, 190, 22, 8 // Pixels.
		top                   = 44
	)
	var of []Summary
	most := 1.0
	for _, s := range r.Summary {
		if s.Workload == w.Name {
			of = append(of, s)
			most = max(most, s.TrxPerS)
		}
	}
	var b strings.Builder
	height := top + len(of)*(bar+gap) + gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<title>%s: transactions per second</title><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", html.EscapeString(w.Name))
	fmt.Fprintf(&b, `<text x="10" y="24" font-size="15" fill="#222">%s: source transactions per second, more is better</text>`+"\n", html.EscapeString(w.Name))
	for i, s := range of {
		y := top + i*(bar+gap)
		length := s.TrxPerS / most * (width - left - 150)
		colour := "#9aa5b1"
		if strings.HasPrefix(s.Contender, "binseal") {
			colour = "#0b6e4f"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left-8, y+16, html.EscapeString(s.Contender), left, y, max(length, 1), bar, colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#222">%.0f (%s)</text>`+"\n", left+length+6, y+16, s.TrxPerS, ratio(s.Ratio))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
