package replicator

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/mysqlconn"
)

// flavour is what differs between the products that a source can be: how it is asked for its log's end, and how the
// dump is asked for. It is told from the version at connect. What the events say differs too, but their types tell.
type flavour interface {
	// gtids reads what the source has executed, and what of it is no longer in the log, as far as it tells.
	gtids(ctx context.Context, q querier, info *SourceInfo) error
	// end reads the end of the log; sql.ErrNoRows when there is none.
	end(ctx context.Context, q querier, end *LogEnd) error
	// settings are the statements that make a connection a replica's.
	settings(serverID uint32, heartbeat time.Duration, from change.Checkpoint) []string
	// dump asks for the log.
	dump(l *link, serverID uint32, from change.Checkpoint, gtids change.GTIDSet, frames *framer) error
	// look asks for it likewise, by GTID, to see one transaction: see lookUp.
	look(l *link, serverID uint32, from change.Checkpoint, gtids change.GTIDSet, frames *framer) error
}

func flavourOf(mariaDB bool) flavour {
	if mariaDB {
		return mariadbServer{}
	}
	return mysqlServer{}
}

// common are the settings of all: the checksum is asked for as NONE, which says that we know of checksums: events keep
// those that they have in the log, only events made for the connection come without.
func common(heartbeat time.Duration) []string {
	return []string{
		"SET @master_binlog_checksum='NONE', @source_binlog_checksum='NONE'",
		fmt.Sprintf("SET @master_heartbeat_period=%d, @source_heartbeat_period=%d", heartbeat.Nanoseconds(), heartbeat.Nanoseconds()),
		fmt.Sprintf("SET SESSION net_write_timeout=%d, net_read_timeout=%d", int(netTimeout.Seconds()), int(netTimeout.Seconds())),
	}
}

// byPosition asks for the log from a file and position.
func byPosition(l *link, serverID uint32, flags uint16, start change.Position, frames *framer) error {
	if start.Pos > math.MaxUint32 {
		// The command names positions in 32 bits: read the file from its begin and drop what we have.
		frames.discard, start.Pos = start, 4
	}
	return l.dumpFrom(serverID, flags, start)
}

// mysqlServer is MySQL and what descends from it.
type mysqlServer struct{}

func (mysqlServer) gtids(ctx context.Context, q querier, info *SourceInfo) error {
	if info.GTIDMode == "" {
		return nil
	}
	return gtidSets(ctx, q, info)
}

func (mysqlServer) end(ctx context.Context, q querier, end *LogEnd) error {
	var executed string
	var doDB, ignoreDB sql.RawBytes
	status := func(statement string) error {
		return queryRow(ctx, q, statement, "ask for the end of its log", &end.Pos.File, &end.Pos.Pos, &doDB, &ignoreDB, &executed)
	}
	err := status("SHOW BINARY LOG STATUS") // MySQL 8.2 and later; the other spelling is gone since 8.4.
	if number, ok := mysqlconn.Number(err); ok && number == errParse {
		err = status("SHOW MASTER STATUS")
	}
	if err != nil {
		return err
	}
	if end.GTIDs, err = change.ParseGTIDSet(executed); err != nil {
		return fmt.Errorf("source: executed GTIDs: %w", err)
	}
	return nil
}

func (mysqlServer) settings(serverID uint32, heartbeat time.Duration, _ change.Checkpoint) []string {
	id := change.ReplicaUUID(serverID)
	return append(common(heartbeat), fmt.Sprintf("SET @slave_uuid='%s', @replica_uuid='%s'", id, id))
}

func (mysqlServer) dump(l *link, serverID uint32, from change.Checkpoint, gtids change.GTIDSet, frames *framer) error {
	if from.ByGTID {
		return l.dumpBehind(serverID, gtids)
	}
	return byPosition(l, serverID, useHeartbeatV2, from.Resume(), frames)
}

func (m mysqlServer) look(l *link, serverID uint32, from change.Checkpoint, gtids change.GTIDSet, frames *framer) error {
	return m.dump(l, serverID, from, gtids, frames)
}

// mariadbServer is MariaDB 10.2 and later.
type mariadbServer struct{}

// gtids reads the position that MariaDB has for executed transactions. It does not tell what it has purged: the dump
// does, with error 1236.
func (m mariadbServer) gtids(ctx context.Context, q querier, info *SourceInfo) error {
	var err error
	info.Executed, err = m.position(ctx, q)
	return err
}

func (mariadbServer) position(ctx context.Context, q querier) (change.GTIDSet, error) {
	var text string
	if err := queryRow(ctx, q, "SELECT @@GLOBAL.gtid_binlog_pos", "ask for its GTIDs", &text); err != nil {
		return change.GTIDSet{}, err
	}
	position, err := change.ParseGTIDSet(text)
	if err != nil {
		return change.GTIDSet{}, fmt.Errorf("source: gtid_binlog_pos: %w", err)
	}
	return position, nil
}

// end reads the GTIDs behind the position: what commits between the two makes the end look further away, and lag
// never better than it is (invariant 8).
func (m mariadbServer) end(ctx context.Context, q querier, end *LogEnd) error {
	var doDB, ignoreDB sql.RawBytes
	err := queryRow(ctx, q, "SHOW MASTER STATUS", "ask for the end of its log", &end.Pos.File, &end.Pos.Pos, &doDB, &ignoreDB)
	if err != nil {
		return err
	}
	end.GTIDs, err = m.position(ctx, q)
	return err
}

// gtidCapable is MARIA_SLAVE_CAPABILITY_GTID: the source sends its own events as they are in the log. A replica that
// cannot take them would get others in their places.
const gtidCapable = 4

func (mariadbServer) settings(_ uint32, heartbeat time.Duration, from change.Checkpoint) []string {
	all := append(common(heartbeat), fmt.Sprintf("SET @mariadb_slave_capability=%d", gtidCapable))
	if from.ByGTID {
		// Strict: a GTID that is not in the log is an error also where a later one of its domain is.
		all = append(all, fmt.Sprintf("SET @slave_connect_state='%s', @slave_gtid_strict_mode=1, @slave_gtid_ignore_duplicates=0", from.ResumeGTIDs()))
	}
	return all
}

// sendAnnotations is BINLOG_SEND_ANNOTATE_ROWS_EVENT: without it, the source leaves these events out, and what follows
// would not begin where the event before it ended.
const sendAnnotations = 1 << 1

func (mariadbServer) dump(l *link, serverID uint32, from change.Checkpoint, gtids change.GTIDSet, frames *framer) error {
	if from.ByGTID { // @slave_connect_state says where.
		frames.seek(gtids)
		return l.dumpFrom(serverID, sendAnnotations, change.Position{Pos: 4})
	}
	return byPosition(l, serverID, sendAnnotations, from.Resume(), frames)
}

// look does not insist that the log has the transaction behind which it is asked for: a replica may begin with the next
// one, and what it shows is the proof.
func (m mariadbServer) look(l *link, serverID uint32, from change.Checkpoint, gtids change.GTIDSet, frames *framer) error {
	if err := l.settings([]string{"SET @slave_gtid_strict_mode=0"}); err != nil {
		return err
	}
	return m.dump(l, serverID, from, gtids, frames)
}
