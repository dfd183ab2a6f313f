package stream

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/binseal/binseal/applier"
	"github.com/binseal/binseal/change"
)

// metrics of a stream. There are no labels by table: names can be personal data, and there may be thousands.
type metrics struct {
	transactions, changes, rows, ddl, statements, reconnects prometheus.Counter
	held, redefined, switches                                prometheus.Counter
	epochs, rules                                            *prometheus.CounterVec
	epochRows, execute, commit                               prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, s *Stream) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "binseal", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "binseal", Name: name, Help: help, Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	m := &metrics{
		transactions: counter("applied_transactions_total", "Source transactions committed on the target."),
		changes:      counter("applied_row_changes_total", "Row changes of those transactions, before merging."),
		rows:         counter("applied_rows_total", "Rows written to the target, after merging."),
		ddl:          counter("applied_ddl_total", "DDL statements passed."),
		statements:   counter("target_statements_total", "Statements sent to the target."),
		reconnects:   counter("reconnects_total", "Runs that ended and were started again from the record."),
		switches:     counter("source_switches_total", "Times that another server of the same history took the source's place."),
		held:         counter("ddl_held_total", "Statements on triggers and events that are held until cutover."),
		redefined:    counter("ddl_definers_replaced_total", "Views and routines whose definer on the target is the applier's account."),
		rules: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "binseal", Name: "ddl_rules_total",
			Help: "Statements that a rule of ddl.rules has decided, by what it did."}, []string{"action"}),
		epochs: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "binseal", Name: "epochs_total",
			Help: "Epochs committed, by the way they were committed."}, []string{"mode"}),
		epochRows: histogram("epoch_rows", "Rows written by an epoch.", prometheus.ExponentialBuckets(1, 4, 10)),
		execute:   histogram("execute_seconds", "Time from an epoch's first statement to its last answer.", prometheus.ExponentialBuckets(0.001, 2.5, 12)),
		commit:    histogram("commit_seconds", "Time of a COMMIT on the target.", prometheus.ExponentialBuckets(0.0005, 2.5, 12)),
	}
	reg.MustRegister(m.epochs, m.rules)
	registerGauges(reg, s)
	return m
}

// registerGauges derives the gauges from the same figures as /lag, when they are asked for.
func registerGauges(reg prometheus.Registerer, s *Stream) {
	gauge := func(name, help string, labels prometheus.Labels, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "binseal", Name: name, Help: help, ConstLabels: labels}, f))
	}
	optional := func(v *float64) float64 {
		if v == nil {
			return -1
		}
		return *v
	}
	gauge("lag_seconds", "Age of the oldest transaction not on the target, on the source's clock; -1 when nothing was ever known.", nil,
		func() float64 { return optional(s.Lag().LagSeconds) })
	gauge("lag_stale", "1 when the source could not be asked within the last three seconds.", nil, func() float64 { return boolean(s.Lag().Stale) })
	gauge("behind_bytes", "Bytes of the source's log that are not on the target; -1 when not known yet.", nil, func() float64 {
		if b := s.Lag().Behind; b != nil {
			return float64(b.Bytes)
		}
		return -1
	})
	gauge("behind_transactions", "Transactions of the source that are not on the target; -1 when not known yet.", nil, func() float64 {
		if b := s.Lag().Behind; b != nil {
			return float64(b.Transactions)
		}
		return -1
	})
	gauge("prepared_xa", "XA transactions that the source has prepared and not decided.", nil, func() float64 { return float64(s.Lag().PreparedXA) })
	gauge("source_retention_left_seconds", "How long the stream may stand still before the source purges what it needs, at least; -1 when not known.", nil, s.retentionSeconds)
	gauge("queue_bytes", "Memory held by the epoch that is being collected.", nil, func() float64 { return float64(s.queueBytes.Load()) })
	gauge("queue_rows", "Rows in the epoch that is being collected.", nil, func() float64 { return float64(s.queueRows.Load()) })
	gauge("source_sample_age_seconds", "Time since the source's end was asked; -1 before the first time.", nil,
		func() float64 { return optional(s.Lag().SourceSampleAgeSeconds) })
	for _, st := range []State{StateStarting, StateCopying, StateStreaming, StatePaused, StateReconnecting, StateHalted, StateDraining, StateStopped} {
		gauge("state", "1 for the state that the stream is in.", prometheus.Labels{"state": string(st)}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return boolean(s.state == st)
		})
	}
	for _, r := range []change.AtRestResult{change.AtRestVerified, change.AtRestUnverified, change.AtRestRefused, change.AtRestSkipped} {
		gauge("at_rest", "1 for what is known of the target's encryption at rest.", prometheus.Labels{"result": string(r)}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return boolean(s.atRest != nil && s.atRest.Result == r)
		})
	}
	gauge("at_rest_checked_seconds", "When that was found out, Unix time; 0 before.", nil, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.atRest == nil {
			return 0
		}
		return float64(s.atRest.At.Unix())
	})
	for _, leg := range []string{"source", "target"} {
		gauge("tls_certificate_not_after_seconds", "Expiry of the peer's certificate, Unix time; 0 before the first handshake.", prometheus.Labels{"side": leg}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			e, ok := s.evidence[leg]
			if !ok {
				return 0
			}
			return float64(e.NotAfter.Unix())
		})
		gauge("tls_client_certificate_not_after_seconds", "Expiry of our own certificate (tls.cert), Unix time; 0 without one.", prometheus.Labels{"side": leg}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			if e := s.evidence[leg]; !e.ClientNotAfter.IsZero() {
				return float64(e.ClientNotAfter.Unix())
			}
			return 0
		})
		gauge("tls_weak", "1 when the last handshake was one that only tls.legacy allows.", prometheus.Labels{"side": leg}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return boolean(s.evidence[leg].Weak)
		})
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *metrics) committed(p applier.Progress) {
	m.transactions.Add(float64(p.Transactions))
	m.changes.Add(float64(p.Changes))
	m.rows.Add(float64(p.Rows))
	m.epochRows.Observe(float64(p.Rows))
	mode := "strict"
	if p.Split {
		mode = "split"
	}
	m.epochs.WithLabelValues(mode).Inc()
	if p.DDL {
		m.ddl.Inc()
	}
	if p.Rule != "" {
		m.rules.WithLabelValues(string(p.Rule)).Inc()
	}
	if p.Held {
		m.held.Inc()
	}
	if p.Redefined {
		m.redefined.Inc()
	}
}
