package stream

import (
	"context"
	"math"
	"time"

	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/replicator"
)

// retentionShare is the part of the source's retention that may be left before an operator is told.
const retentionShare = 4

// retentionEvery is how often the source is asked: an operator may change it while the stream runs.
const retentionEvery = time.Hour

// askRetention notes how long the source keeps its log. An account that may not ask, or a source that does not tell, leaves
// it unknown.
func (s *Stream) askRetention(ctx context.Context, session *mysqlconn.Session) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	r, err := replicator.AskRetention(ctx, session)
	if err != nil {
		r = replicator.Retention{}
	}
	s.mu.Lock()
	s.retention = r
	s.mu.Unlock()
}

// RetentionLeft is how long the stream may stand still before the source purges what is not applied yet, at the least; known
// is false where the source does not tell or lag is not known. A file is purged by the time of its last event, which is not
// older than the oldest transaction that is missing.
func (s *Stream) RetentionLeft() (left time.Duration, forever, known bool) {
	lag := s.Lag().LagSeconds
	s.mu.Lock()
	r := s.retention
	if s.cp.Undecided.Count > 0 && !s.cp.ByGTID { // A start needs the log from the oldest of them on, of which no time is known.
		r.Known = r.Known && r.Forever
	}
	s.mu.Unlock()
	if !r.Known || lag == nil {
		return 0, r.Forever, r.Known && r.Forever
	}
	return r.Keep - time.Duration(*lag*float64(time.Second)), r.Forever, true
}

// warnOfRetention tells once when little is left, and again after there was more.
func (s *Stream) warnOfRetention() {
	left, forever, known := s.RetentionLeft()
	s.mu.Lock()
	keep, told := s.retention.Keep, s.retentionTold
	low := known && !forever && left <= keep/retentionShare
	s.retentionTold = low
	s.mu.Unlock()
	if low && !told {
		s.o.Logger.Warn("the source purges soon what is not applied yet", "hours_left", math.Round(left.Hours()*10)/10, "retention_hours", math.Round(keep.Hours()*10)/10,
			"next", "keep the log longer (binlog_expire_logs_seconds; on RDS CALL mysql.rds_set_configuration('binlog retention hours', N)), or let the stream catch up")
	}
}

// retentionSeconds is RetentionLeft as a metric: -1 where it is not known, +Inf where the log is kept for ever.
func (s *Stream) retentionSeconds() float64 {
	left, forever, known := s.RetentionLeft()
	switch {
	case !known:
		return -1
	case forever:
		return math.Inf(1)
	}
	return max(0, left.Seconds())
}
