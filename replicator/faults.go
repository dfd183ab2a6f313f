package replicator

import (
	"errors"

	"github.com/binseal/binseal/change"
)

// The faults that a source's log can give. Each has its place filled in by at. None carries a statement's text or a
// value (invariant 9).

const (
	codeChecksum = "BS-CHECKSUM"
	codeTooLarge = "BS-TOO-LARGE"
	codePosition = "BS-POSITION-INVALID"
	codePurged   = "BS-BINLOG-PURGED"
	codeBehind   = "BS-SOURCE-BEHIND"
)

// halt is a fault that needs a person. Invariant 6: what is not understood stops the stream at its position.
func halt(code, what, next string) *change.Fault {
	return &change.Fault{Code: code, Class: change.ClassPerson, What: what, Next: next}
}

// malformed is the fault of an event that cannot be read. err names fields and lengths only.
func malformed(err error) *change.Fault {
	var f *change.Fault
	switch {
	case errors.Is(err, errChecksum):
		return halt(codeChecksum, "an event's checksum does not fit: the log is damaged on the source's disk or on the way",
			"check the source's disk and its log with mysqlbinlog --verify-binlog-checksum; a damaged log needs a new copy of the data, then binseal position set --loaded")
	case errors.Is(err, errEventTooLarge):
		return tooLarge()
	default:
		f = halt("BS-EVENT-MALFORMED", "an event cannot be read",
			"check the source's log with mysqlbinlog; report the event's type and position if it can be read there")
		f.Err = err
		return f
	}
}

// tooLarge refuses an event above the bound on one row (invariant 7: what cannot fit is refused by name).
func tooLarge() *change.Fault {
	return halt(codeTooLarge, "an event is larger than the bound on one row or compressed transaction",
		"make the change on the target by hand, then skip the transaction (binseal position skip); or exclude the table")
}

// lost is the fault of a stream that misses events or contradicts itself. Reading again from the record may help, so
// it is not for a person at once.
func lost(err error) *change.Fault {
	return &change.Fault{
		Code: "BS-PROTOCOL", Class: change.ClassRuntime, What: "the source's stream is not continuous", Err: err,
		Next: "the stream is read again from the last checkpoint; if this repeats at one position, check the source's log there with mysqlbinlog",
	}
}

// at fills in the place of a fault that has none yet: the event's begin and its transaction. Errors that are not
// faults pass.
func at(err error, pos change.Position, gtid change.GTID) error {
	f := change.FaultOf(err)
	if f == nil || f.Where != "" {
		return err
	}
	switch {
	case !pos.IsZero() && gtid.IsZero():
		f.Where = pos.String()
	case !pos.IsZero():
		f.Where = pos.String() + " (GTID " + gtid.String() + ")"
	case !gtid.IsZero():
		f.Where = "GTID " + gtid.String()
	}
	return err
}
