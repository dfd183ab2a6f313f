// Package rowimage walks the row images of MySQL's binary log, compares them and writes them as SQL text.
//
// It is the hot path: an image stays the raw bytes from the wire until its values are written straight into a
// statement. No value is boxed, nothing is allocated per row; every method appends to the buffer that it is given.
// Truncated or mutated input gives an error, never a panic and never an endless loop.
//
// It never talks to a server, never reads a source's schema and never guesses: what it does not understand is
// refused by name (invariant 6: what is not understood stops the stream at its position; skipping is the operator's
// written decision). No error of it carries a row value (invariant 9).
//
// The replicator calls ParseTableMap, ParseRowsHeader and Split, which need the log alone. The applier binds a
// TABLE_MAP to the target's table (Bind) and writes statements with the Layout. The texts are meant for a session
// with these settings, which mysqlconn opens:
//
//	SET NAMES utf8mb4; SET time_zone='+00:00';
//	SET sql_mode='STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'
//
// Source of the formats: MySQL's field_types.h, rows_event.h, log_event.cc, my_time.cc, decimal.cc and
// json_binary.h.
package rowimage
