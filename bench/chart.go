package bench

import (
	"fmt"
	"html"
	"strings"
)

// chart draws a workload's transactions per second.
func (r *Results) chart(w *Workload) string {
	var of []bar
	for _, s := range r.Summary {
		if s.Workload == w.Name {
			of = append(of, bar{s.Contender, s.TrxPerS, fmt.Sprintf("%.0f (%s)", s.TrxPerS, ratio(s.Ratio))})
		}
	}
	return bars(w.Name+": source transactions per second, more is better", of)
}

// chartSteady draws the lags at a rate.
func chartSteady(rate int, middle []Steady) string {
	var of []bar
	for _, s := range middle {
		if s.Asked == rate {
			of = append(of, bar{s.Contender, s.P99, fmt.Sprintf("%.0f (p50 %.0f)", s.P99, s.P50)})
		}
	}
	return bars(fmt.Sprintf("%d transactions per second: lag p99 in ms, less is better", rate), of)
}

// bar is a line of a chart: who, how long, and what stands behind it.
type bar struct {
	name  string
	value float64
	text  string
}

// bars draws a chart as SVG.
func bars(title string, of []bar) string {
	const (
		width, left, thick, gap = 860, 290, 22, 8 // Pixels.
		top                     = 44
	)
	most := 1.0
	for _, s := range of {
		most = max(most, s.value)
	}
	var b strings.Builder
	height := top + len(of)*(thick+gap) + gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img">`+"\n", width, height, width, height)
	title = html.EscapeString(title)
	fmt.Fprintf(&b, `<title>%s</title><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", title)
	fmt.Fprintf(&b, `<text x="10" y="24" font-size="15" fill="#222">%s</text>`+"\n", title)
	for i, s := range of {
		y := top + i*(thick+gap)
		length := s.value / most * (width - left - 150)
		colour := "#9aa5b1"
		if strings.HasPrefix(s.name, "binseal") {
			colour = "#0b6e4f"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left-8, y+16, html.EscapeString(s.name), left, y, max(length, 1), thick, colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#222">%s</text>`+"\n", left+length+6, y+16, html.EscapeString(s.text))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
