package mysqlconn

// Error numbers that the code asks for by name (MySQL reference manual, Server Error Message Reference).
const (
	cantLock               = 1015 // InnoDB read-only mode shows in DML as errno 165 within 1015.
	tooManyConnections     = 1040
	accessDenied           = 1045
	serverShutdown         = 1053
	duplicateEntry         = 1062
	unknownThread          = 1094
	unknownVariable        = 1193
	lockWaitTimeout        = 1205
	deadlock               = 1213
	readOnlyOption         = 1290
	queryInterrupted       = 1317
	duplicateEntryWithName = 1586
	readOnlyTransaction    = 1792
	readOnlyMode           = 1836
)

// serverTexts are our words for the server's error numbers. The server's own texts quote values and statements and
// are never used (invariant 9).
var serverTexts = map[uint16]string{
	1005: "cannot create the table",
	1007: "the database exists already",
	1008: "the database does not exist",
	1015: "the storage engine is read-only or cannot lock",
	1020: "the row changed since it was read",
	1021: "disk full",
	1022: "duplicate key",
	1030: "storage engine error",
	1032: "the record is not there",
	1037: "the server is out of memory",
	1038: "out of sort memory",
	1040: "too many connections",
	1041: "the server is out of memory",
	1044: "access to the database denied",
	1045: "access denied",
	1046: "no database selected",
	1048: "a NOT NULL column got NULL",
	1049: "unknown database",
	1050: "the table exists already",
	1051: "unknown table",
	1053: "the server is shutting down",
	1054: "unknown column",
	1060: "duplicate column name",
	1061: "duplicate key name",
	1062: "duplicate key",
	1064: "syntax error",
	1067: "invalid default value",
	1068: "more than one primary key",
	1069: "too many keys",
	1070: "too many key parts",
	1071: "the key is too long",
	1072: "the key's column does not exist",
	1091: "the column or key to drop does not exist",
	1094: "unknown thread",
	1095: "not the owner of the thread",
	1101: "a BLOB, TEXT, JSON or GEOMETRY column cannot have a default",
	1105: "unknown error",
	1114: "the table is full",
	1115: "unknown character set",
	1118: "the row is too large",
	1129: "this host is blocked after too many connection errors",
	1130: "this host may not connect",
	1135: "the server cannot create a thread",
	1136: "the number of values does not match the columns",
	1142: "privilege missing on the table",
	1143: "privilege missing on a column",
	1146: "the table does not exist",
	1152: "the server aborted the connection",
	1153: "the packet is larger than max_allowed_packet",
	1158: "the server could not read from the connection",
	1159: "the server timed out while reading from the connection",
	1160: "the server could not write to the connection",
	1161: "the server timed out while writing to the connection",
	1180: "error during COMMIT",
	1193: "unknown system variable",
	1197: "the transaction is larger than max_binlog_cache_size",
	1203: "the user has too many connections",
	1205: "lock wait timeout",
	1213: "deadlock",
	1216: "foreign key: the parent row is missing",
	1217: "foreign key: child rows exist",
	1226: "the user has exceeded a resource limit",
	1227: "privilege missing",
	1231: "a variable cannot take the value",
	1235: "not supported by this server version",
	1236: "the source cannot serve the binary log from the requested position",
	1251: "the server does not support this client's authentication",
	1263: "a NOT NULL column got NULL",
	1264: "a value is out of range for its column",
	1265: "a value does not fit its column",
	1267: "illegal mix of collations",
	1273: "unknown collation",
	1290: "the server is read-only",
	1292: "a value is not valid for its column's type",
	1300: "a string is not valid in its character set",
	1317: "the statement was interrupted",
	1364: "a column without a default got no value",
	1366: "a value is not valid for its column",
	1370: "privilege missing on the routine",
	1406: "a value is too long for its column",
	1410: "the user may not create users with GRANT",
	1412: "the table definition has changed",
	1419: "SUPER is needed, or log_bin_trust_function_creators",
	1438: "a value is not valid for its column",
	1451: "foreign key: child rows exist",
	1452: "foreign key: the parent row is missing",
	1524: "the user's authentication plugin is not loaded",
	1526: "no partition takes the value",
	1568: "not possible within a transaction",
	1586: "duplicate key",
	1613: "XA: the time limit passed",
	1614: "XA: deadlock",
	1637: "too many active transactions",
	1698: "access denied",
	1789: "the source has purged GTIDs that are needed",
	1792: "the transaction is read-only",
	1820: "the password must be changed first",
	1836: "the server is in read-only mode",
	1862: "the password has expired",
	1873: "access denied while changing user",
	1927: "the connection was killed",
	2006: "the server has gone away",
	2013: "connection lost during the statement",
	2055: "connection lost",
	3024: "the statement exceeded max_execution_time",
	3058: "deadlock on a user lock",
	3098: "a table does not meet the requirements of group replication",
	3100: "a replication plug-in refused the transaction",
	3101: "the transaction was rolled back by group replication",
	3118: "the account is locked",
	3140: "invalid JSON text",
	3144: "a JSON value needs utf8",
	3159: "the server takes connections over TLS only",
	3169: "the session was killed",
	3572: "a lock could not be taken at once",
	3723: "privilege missing",
	3750: "the server requires a primary key",
	3819: "a CHECK constraint is violated",
	3955: "the account is blocked after too many failed logins",
	4031: "the server closed the idle connection",
}

func set(numbers ...uint16) map[uint16]bool {
	m := make(map[uint16]bool, len(numbers))
	for _, n := range numbers {
		m[n] = true
	}
	return m
}

var (
	authNumbers      = set(1045, 1129, 1130, 1251, 1524, 1698, 1820, 1862, 1873, 3118, 3159, 3955)
	privilegeNumbers = set(1044, 1095, 1142, 1143, 1227, 1370, 1410, 1419, 3723)
	readOnlyNumbers  = set(cantLock, readOnlyOption, readOnlyTransaction, readOnlyMode)
	lockNumbers      = set(lockWaitTimeout, deadlock)
	// The connection is gone, or is about to be, as told by the server or by a proxy in between.
	lostNumbers = set(serverShutdown, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2055, 3169, 4031)
	// The server is short of something that comes back, or lost a race that the next try may win.
	shortageNumbers = set(1020, 1021, 1037, tooManyConnections, 1041, 1114, 1135, 1180, 1203, 1226,
		queryInterrupted, 1412, 1614, 1637, 3024, 3058, 3100, 3101, 3572)
	// An answer that leaves open whether a COMMIT was done.
	ambiguousNumbers = set(1180, queryInterrupted, 3100)
)
