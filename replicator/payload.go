package replicator

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory of the decompressor; the source's levels use at most 128 MiB (level 22), its default 2 MiB.
const maxWindow = 128 << 20

// errEventTooLarge means that an event is above the reader's bound (invariant 7).
var errEventTooLarge = errors.New("the event is larger than the bound on one row")

// payloadReader takes compressed transactions apart, event by event. A payload is never held uncompressed as a whole,
// so its uncompressed size needs no bound of its own. Not safe for concurrent use.
type payloadReader struct {
	maxEvent int // Largest event inside, in bytes.
	zstd     *zstd.Decoder
}

// payloadFields is the head of a Transaction_payload event.
type payloadFields struct {
	compression      uint64 // 0 is zstd, 255 none.
	uncompressedSize uint64
	hasSize          bool
	data             []byte
}

// parsePayload decodes the fields of a Transaction_payload event.
// Layout: codecs/binary.h, Transaction_payload: (type, length, value) with packed integers; type 0 ends the fields, 1
// is the payload's size, 2 the compression, 3 the uncompressed size; unknown ones are skipped by their length.
func parsePayload(body []byte) (payloadFields, error) {
	c := cursor{rest: body}
	var p payloadFields
	var size uint64
	for {
		field := c.packed()
		if c.err != nil {
			return payloadFields{}, c.err
		}
		if field == 0 {
			break
		}
		value := cursor{rest: c.bytes(int(min(c.packed(), 1<<30)))}
		switch field {
		case 1:
			size = value.packed()
		case 2:
			p.compression = value.packed()
		case 3:
			p.uncompressedSize, p.hasSize = value.packed(), true
		}
		if value.err != nil {
			return payloadFields{}, value.err
		}
	}
	if size != uint64(len(c.rest)) {
		return payloadFields{}, fmt.Errorf("a payload of %d bytes where %d are declared", len(c.rest), size)
	}
	p.data = c.rest
	return p, nil
}

// each calls do for every event in the Transaction_payload event outer. The events inside have the payload's place
// in the log and no checksum of their own.
func (r *payloadReader) each(outer *event, do func(*event) error) error {
	p, err := parsePayload(outer.body)
	if err != nil {
		return malformed(err)
	}
	in, err := r.open(p)
	if err != nil {
		return malformed(err)
	}
	var total uint64
	var ev event
	for {
		err := r.read(in, &ev)
		if err == io.EOF {
			break
		}
		if err != nil {
			return malformed(err)
		}
		total += uint64(ev.size)
		ev.start, ev.end = outer.start, outer.end
		if err := do(&ev); err != nil {
			return err
		}
	}
	if p.hasSize && total != p.uncompressedSize {
		return malformed(fmt.Errorf("%d bytes of events where %d are declared", total, p.uncompressedSize))
	}
	return nil
}

// open gives the uncompressed payload as a stream.
func (r *payloadReader) open(p payloadFields) (io.Reader, error) {
	const zstdCompression, noCompression = 0, 255
	switch p.compression {
	case noCompression:
		return bytes.NewReader(p.data), nil
	case zstdCompression:
	default:
		return nil, fmt.Errorf("compression %d is not known", p.compression)
	}
	if r.zstd != nil {
		return r.zstd, r.zstd.Reset(bytes.NewReader(p.data))
	}
	// Concurrency 1 decodes in the caller: no goroutine to stop.
	d, err := zstd.NewReader(bytes.NewReader(p.data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	r.zstd = d
	return d, nil
}

// read takes the next event off the stream into ev; io.EOF at its clean end.
func (r *payloadReader) read(in io.Reader, ev *event) error {
	var head [headerSize]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err // io.EOF only when no byte was read.
	}
	*ev = event{}
	if err := ev.header.parse(head[:]); err != nil {
		return err
	}
	if ev.typ == typePayload {
		return errors.New("a payload inside a payload")
	}
	if int64(ev.size) > int64(eventLimit(ev.typ, r.maxEvent)) {
		return errEventTooLarge
	}
	var err error
	ev.body, err = readBody(in, int(ev.size)-headerSize)
	ev.held = cap(ev.body)
	return err
}

// readBody reads n bytes, growing with what is really there: a mutated length must not reserve memory that no data
// will fill.
func readBody(in io.Reader, n int) ([]byte, error) {
	const trusted = 1 << 20
	body := make([]byte, min(n, trusted))
	for have := 0; ; {
		if _, err := io.ReadFull(in, body[have:]); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		if have = len(body); have == n {
			return body, nil
		}
		body = append(body, make([]byte, min(have, n-have))...)
	}
}

// close gives the decompressor's memory back.
func (r *payloadReader) close() {
	if r.zstd != nil {
		r.zstd.Close()
		r.zstd = nil
	}
}
