package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Results are what a bench writes down.
type Results struct {
	Name     string            `json:"name"`
	At       time.Time         `json:"at"`
	Machine  Machine           `json:"machine"`
	Settings map[string]string `json:"server_settings"` // Of both servers; see ServerSettings.
	Size     Size              `json:"size"`
	Seed     uint64            `json:"seed"`
	Rounds   int               `json:"rounds"`
	Ended    string            `json:"ended_early,omitempty"` // Why, if it was.
	Runs     []Run             `json:"runs"`
	Summary  []Summary         `json:"summary"`
}

// Machine is where a bench ran.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Memory int64   `json:"memory_bytes"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Server string  `json:"server"`
	Load   float64 `json:"load_before"` // Average over a minute, before the first run.

	Command []string `json:"command"` // The bench's, and
	Daemon  string   `json:"daemon"`  // the commit of the daemon.
}

// Summary is the median of a contender's rounds on a workload: of an even number the middle between the two.
type Summary struct {
	Workload  string  `json:"workload"`
	Contender string  `json:"contender"`
	Rounds    int     `json:"rounds"`
	Seconds   float64 `json:"seconds"`
	Fastest   float64 `json:"fastest_seconds"`
	Slowest   float64 `json:"slowest_seconds"`
	TrxPerS   float64 `json:"transactions_per_second"`
	RowsPerS  float64 `json:"row_changes_per_second"`
	DaemonCPU float64 `json:"daemon_cpu_seconds"`
	TargetCPU float64 `json:"target_cpu_seconds"`
	CPUPerRow float64 `json:"cpu_us_per_row"` // Of daemon, target and source, µs for each row change of the backlog.
	PeakRSS   int64   `json:"peak_rss_bytes"` // Of all rounds.
	Ratio     float64 `json:"ratio"`          // Of its rate to that of Contender.Against, or of the best native replication of this run; 0 without one.
	Goal      float64 `json:"goal"`           // The ratio that is asked for; 0 where none is.
}

// Summarise takes the median of each contender, in the plan's order, and its ratio.
func Summarise(p Plan, runs []Run) []Summary {
	var all []Summary
	for _, w := range p.Workloads {
		seconds := map[string]float64{} // By contender; under "" of the best native replication.
		var of []Summary
		var against []string
		for _, c := range p.Contenders {
			mine := slices.DeleteFunc(slices.Clone(runs), func(r Run) bool { return r.Workload != w.Name || r.Contender != c.Name })
			if len(mine) == 0 {
				continue // It failed, or was never its turn.
			}
			s := median(mine)
			if p.Ratio == "" && p.Size == 1 && p.Times <= 1 {
				s.Goal = map[string]float64{Split: w.Goal.Split, StrictMode: w.Goal.Strict}[c.Name]
			}
			of, against, seconds[c.Name] = append(of, s), append(against, c.Against), s.Seconds
			if best := seconds[""]; strings.HasPrefix(c.Name, nativePrefix) && (best == 0 || s.Seconds < best) {
				seconds[""] = s.Seconds
			}
		}
		for i := range of {
			of[i].Ratio = seconds[against[i]] / of[i].Seconds
		}
		all = append(all, of...)
	}
	return all
}

// median is the round in the middle by its time, with its other figures; of an even number the mean of the two in the middle.
func median(rounds []Run) Summary {
	slices.SortFunc(rounds, func(a, b Run) int { return cmp.Compare(a.Seconds, b.Seconds) })
	low, high := rounds[(len(rounds)-1)/2], rounds[len(rounds)/2]
	mean := func(of func(Run) float64) float64 { return (of(low) + of(high)) / 2 }
	s := Summary{Workload: low.Workload, Contender: low.Contender, Rounds: len(rounds), Seconds: mean(func(r Run) float64 { return r.Seconds }),
		Fastest: rounds[0].Seconds, Slowest: rounds[len(rounds)-1].Seconds,
		DaemonCPU: mean(func(r Run) float64 { return r.DaemonCPU }), TargetCPU: mean(func(r Run) float64 { return r.TargetCPU }),
		CPUPerRow: mean(func(r Run) float64 { return (r.DaemonCPU + r.TargetCPU + r.SourceCPU) * 1e6 / float64(r.Changes) })}
	s.TrxPerS, s.RowsPerS = float64(low.Transactions)/s.Seconds, float64(low.Changes)/s.Seconds
	for _, r := range rounds {
		s.PeakRSS = max(s.PeakRSS, r.PeakRSS)
	}
	return s
}

// Report prints the table and writes it into a folder, under the plan's name: JSON, Markdown, and a chart for each
// workload.
func Report(folder string, p Plan, runs []Run) error {
	r := Results{Name: p.Name, At: time.Now().UTC().Truncate(time.Second), Machine: p.Machine, Settings: p.Settings, Size: p.Size, Seed: p.Seed, Rounds: p.Rounds, Ended: endedEarly(p, "", ""),
		Runs: runs, Summary: Summarise(p, runs)}
	table := r.markdown(p)
	files := map[string]string{p.Name + ".md": table}
	for _, w := range p.Workloads {
		if r.has(w) {
			files[p.Name+"-"+w.Name+".svg"] = r.chart(w)
		}
	}
	return write(folder, p, r, files, table)
}

// has reports that a workload was run.
func (r *Results) has(w *Workload) bool {
	return slices.ContainsFunc(r.Summary, func(s Summary) bool { return s.Workload == w.Name })
}

// write writes the results as JSON, and files beside it, and prints the table.
func write(folder string, p Plan, results any, files map[string]string, table string) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	files[p.Name+".json"] = string(text) + "\n"
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.Out, "\n%s\nwritten to %s\n", table, folder)
	return err
}

// head names the machine and the conditions.
func head(title string, at time.Time, p Plan) string {
	return fmt.Sprintf("# %s\n\n%s%s; %s, %d cores, %d GiB, %s, %s; load before the first run %.1f. MySQL %s on both sides, TLS on both legs. Size %g, seed %d. `%s` with %s.\n\nSettings: source `%s`; target `%s`.\n",
		title, endedEarly(p, "**Incomplete**: ", ".\n\n"), at.Format("2006-01-02 15:04 MST"), p.Machine.CPU, p.Machine.Cores, p.Machine.Memory>>30, p.Machine.Kernel, p.Machine.Go, p.Machine.Load, p.Machine.Server, p.Size, p.Seed,
		strings.Join(p.Machine.Command, " "), p.Machine.Daemon, p.Settings["source"], p.Settings["target"])
}

// endedEarly says, between two texts, why a run ended before it had done all of its plan; "" when it had.
func endedEarly(p Plan, before, behind string) string {
	if p.EndedEarly == nil {
		return ""
	}
	return before + "the run ended early: " + p.EndedEarly.Error() + behind
}

// markdown is the table of all workloads.
func (r *Results) markdown(p Plan) string {
	var b strings.Builder
	b.WriteString(head("Catch-up: "+p.Name, r.At, p))
	fmt.Fprintf(&b, "\n%d rounds in turn, medians (of two rounds their mean). Each run began from the same copy of the target and ended with both sides equal, byte by byte. The backlog is %d times the size's.\n", r.Rounds, max(1, p.Times))
	if p.Ratio == "" && p.Rounds > 1 {
		fmt.Fprintf(&b, "\nOf native replication's settings the %d that were the fastest in a workload's first round ran in the others; its best is the fastest of all lines.\n", finalists)
	}
	if strings.HasPrefix(p.Name, commitPlan) {
		b.WriteString("\n" + slowCommitNote + "\n")
	}
	against := cmp.Or(p.Ratio, "the best native of this run")
	for _, w := range p.Workloads {
		if !r.has(w) {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n![%s](%s-%s.svg)\n\n| | rounds | s (fastest–slowest) | trx/s | rows/s | daemon CPU s | target CPU s | CPU µs a row, all | peak MiB | ratio to %s | asked for |\n|---|---|---|---|---|---|---|---|---|---|---|\n", w.Name, w.About, w.Name, p.Name, w.Name, against)
		for _, s := range r.Summary {
			if s.Workload != w.Name {
				continue
			}
			goal := ""
			if s.Goal > 0 {
				goal = fmt.Sprintf("≥ %g×", s.Goal)
			}
			fmt.Fprintf(&b, "| %s | %d | %.2f (%.2f–%.2f) | %.0f | %.0f | %.2f | %.2f | %.1f | %s | %s | %s |\n", strings.ReplaceAll(s.Contender, "|", `\|`), s.Rounds, s.Seconds, s.Fastest, s.Slowest,
				s.TrxPerS, s.RowsPerS, s.DaemonCPU, s.TargetCPU, s.CPUPerRow, orNothing(s.PeakRSS>>20), ratio(s.Ratio), goal)
		}
	}
	return b.String()
}

func ratio(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f×", x)
}

func orNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// Here describes this machine.
func Here(server string) Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Server: server, CPU: field("/proc/cpuinfo", "model name"), Kernel: "Linux " + firstWord("/proc/sys/kernel/osrelease")}
	var kib int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kib); err == nil {
		m.Memory = kib << 10
	}
	_, _ = fmt.Sscan(firstWord("/proc/loadavg"), &m.Load) // Unknown shows as 0.
	return m
}

// field is the value behind a name in a file of lines "name : value".
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func firstWord(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return word
}

// ReportSteady prints and writes the lags of a steady rate.
func ReportSteady(folder string, p Plan, runs []Steady) error {
	at := time.Now().UTC().Truncate(time.Second)
	var b strings.Builder
	b.WriteString(head("Steady state", at, p))
	b.WriteString("\nClients write oltp's transactions at a fixed rate; one more commits a mark every 5 ms. Lag: from the answer to a mark's COMMIT on the source until the mark can be read on the target, both on one clock. The marks count as transactions, and reading them, every half millisecond, in the target's CPU. Each run ended with both sides equal.\n\n")
	fmt.Fprintf(&b, "%d rounds in turn: each line is the round whose p99 is in the middle. A run in which the source reached less than %.0f %% of its rate says so: its clients waited, and its lag is that of a lighter load.\n\n", p.Rounds, short*100)
	if slices.ContainsFunc(runs, func(s Steady) bool { return strings.Contains(s.Contender, ", commit +") }) {
		b.WriteString(slowCommitNote + "\n\n")
	}
	if p.LogWriters {
		b.WriteString(steadyNote + "\n\n")
	}
	b.WriteString(
		"| trx/s asked | reached | | p50 ms | p99 ms (lowest–highest) | max ms | daemon CPU ms per 1000 trx | target CPU ms per 1000 trx |\n|---|---|---|---|---|---|---|---|\n")
	middle, low, high := middles(runs)
	files := map[string]string{}
	for i, s := range middle {
		less := ""
		if s.Reached < short*float64(s.Asked) {
			less = " (less)"
		}
		fmt.Fprintf(&b, "| %d | %.0f%s | %s | %.1f | %.1f (%.1f–%.1f) | %.1f | %.0f | %.0f |\n", s.Asked, s.Reached, less, s.Contender, s.P50, s.P99, low[i], high[i], s.Max, s.DaemonCPU, s.TargetCPU)
		files[fmt.Sprintf("%s-%d.svg", p.Name, s.Asked)] = chartSteady(s.Asked, middle)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "\n![%s](%s)\n", strings.TrimSuffix(name, ".svg"), name)
	}
	files[p.Name+".md"] = b.String()
	results := struct {
		At       time.Time         `json:"at"`
		Machine  Machine           `json:"machine"`
		Settings map[string]string `json:"server_settings"`
		Size     Size              `json:"size"`
		Seed     uint64            `json:"seed"`
		Rounds   int               `json:"rounds"`
		Ended    string            `json:"ended_early,omitempty"`
		Runs     []Steady          `json:"runs"`
	}{at, p.Machine, p.Settings, p.Size, p.Seed, p.Rounds, endedEarly(p, "", ""), runs}
	return write(folder, p, results, files, b.String())
}
