"""The tables and questions of the inventory.

`files` and `entries` are kept from run to run; the others are of one run. `entries` has every image, and everything
that is none with the reason; `place` is -1, or where a member's header starts in its zip. `holder` is the folder or
the zip that something lies in. `name(path, member)` and `holder(path, place)` are functions of the inventory's.
"""

TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    path BLOB, reason TEXT, weight TEXT, sop TEXT, series TEXT, study TEXT, patient TEXT, modality TEXT, number TEXT,
    description TEXT, date TEXT, study_description TEXT, person TEXT, bytes INTEGER, place INTEGER, member TEXT,
    PRIMARY KEY (path, place)
) WITHOUT ROWID;
CREATE TEMP TABLE seen (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode TEXT, is_zip INTEGER, reason TEXT,
    weight TEXT
) WITHOUT ROWID;
CREATE TEMP TABLE chosen (
    series TEXT, sop TEXT, path BLOB, place INTEGER, member TEXT, holder BLOB, subject BLOB, session BLOB,
    PRIMARY KEY (series, sop, path, place)
) WITHOUT ROWID;
CREATE TEMP TABLE copies (
    series TEXT, sop TEXT, path BLOB, place INTEGER, member TEXT, PRIMARY KEY (series, sop, path, place)
) WITHOUT ROWID;
CREATE TEMP TABLE passed (
    path BLOB, place INTEGER, member TEXT, holder BLOB, reason TEXT, weight TEXT, series TEXT, sop TEXT
);
CREATE TEMP VIEW images AS SELECT *, row_number() OVER same AS nth, first_value(path) OVER same AS first_path,
    first_value(member) OVER same AS first_member
FROM chosen WINDOW same AS (PARTITION BY series, sop ORDER BY path, place);
"""

FOREIGN = """
SELECT 1 FROM entries WHERE typeof(path) <> 'blob' OR typeof(bytes) <> 'integer' OR typeof(place) <> 'integer'
    OR weight NOT IN ('', 'left out', 'lost', 'suspect')
    OR (reason = '' AND length(person) - length(replace(person, '|', '')) <> 2)
"""  # what no version of ours has written
SEE = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
MARK = "UPDATE seen SET reason = ?, weight = ? WHERE path = ?"
DROP = "DELETE FROM entries WHERE path = ?"
KEEP_ENTRY = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_FILE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)"
CHOOSE = "INSERT INTO chosen VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LEAVE = "INSERT INTO passed VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LEAVE_COPIES = """
INSERT INTO passed
SELECT path, place, member, holder, 'the same instance lies in ' || name(first_path, first_member), 'left out', '', ''
FROM images WHERE nth > 1
"""
KEEP_COPIES = """
INSERT INTO copies SELECT series, sop, path, place, member FROM passed
WHERE weight = 'lost' AND sop <> '' AND (series, sop) IN (SELECT series, sop FROM chosen)
"""  # what nobody has left out, and need not be sent if it is the same: that is proved when its image is read
FIND_COPIES = """
UPDATE passed SET weight = 'left out', reason = 'the same instance is sent from another place', series = '', sop = ''
WHERE sop <> '' AND (series, sop) IN (SELECT series, sop FROM chosen)
"""
LOSE_NEIGHBOURS = """
UPDATE passed SET weight = 'lost', reason = reason || ', and is named like the images beside it'
WHERE weight = 'left out' AND reason IN (?1, ?2) AND pattern(path, member) <> ''
    AND (holder, pattern(path, member)) IN (
    SELECT holder, pattern(path, member) FROM chosen
    WHERE holder IN (SELECT holder FROM passed WHERE reason IN (?1, ?2))
)
"""
LOSE_PROMISED = """
UPDATE passed SET weight = 'lost', reason = reason || ', and is named by the DICOMDIR'
WHERE weight = 'left out' AND path = ? AND reason IN (?, ?)
"""
INDEXES = """
SELECT seen.path FROM seen JOIN entries USING (path) WHERE entries.reason = ? AND place = -1 AND seen.reason = ''
"""

COUNT = "SELECT count(*) FROM seen WHERE is_zip = ? AND reason = ''"
ZIPS = "SELECT path FROM seen WHERE is_zip AND reason = ''"
UNREAD = """
SELECT seen.path, seen.size, seen.mtime_ns, seen.ctime_ns, seen.inode FROM seen LEFT JOIN files USING (path)
WHERE is_zip = ? AND reason = '' AND seen.path > ? AND (files.path IS NULL OR
    (files.size, files.mtime_ns, files.ctime_ns, files.inode) <> (seen.size, seen.mtime_ns, seen.ctime_ns, seen.inode))
ORDER BY seen.path LIMIT ?
"""
SPOTS = """
SELECT DISTINCT holder(path, -1), series, study, patient FROM seen JOIN entries USING (path)
WHERE is_zip = 0 AND seen.reason = '' AND entries.reason = '' ORDER BY 1
"""
ENTRIES = """
SELECT seen.path, seen.reason, seen.weight, entries.* FROM seen LEFT JOIN entries USING (path) ORDER BY path, place
"""
SERIES = """
SELECT min(path), subject, session, count(*) FILTER (WHERE nth = 1), sum(bytes) FILTER (WHERE nth = 1),
    count(*) FILTER (WHERE nth > 1), count(DISTINCT study), count(DISTINCT subject || x'2f' || session),
    json_group_array(DISTINCT patient), json_group_array(DISTINCT person),
    sop, series, study, patient, modality, number, description, date, study_description, person, bytes, place, member
FROM images JOIN entries USING (path, place, series, sop, member) GROUP BY series ORDER BY 1
"""  # the bare columns are those of the row with the first path (sqlite.org/lang_select.html#bareagg)
PLACES = """
SELECT path, size, mtime_ns, ctime_ns, inode, place, member, sop, bytes, patient
FROM (
    SELECT 0 AS nth, series, sop, path, place, member FROM chosen
    UNION ALL SELECT 1, series, sop, path, place, member FROM copies
) JOIN entries USING (path, place, series, sop, member) JOIN seen USING (path)
WHERE series = ? ORDER BY nth, path, place
"""
SUSPECTS = """
SELECT chosen.series, name(passed.path, passed.member), passed.reason, min(passed.path)
FROM passed JOIN chosen USING (holder) WHERE weight = 'suspect' GROUP BY chosen.series
"""
LEFT_OUT = """
SELECT reason, count(*), count(DISTINCT series) FROM passed WHERE sop <> '' GROUP BY reason
UNION ALL SELECT '', count(*), 0 FROM passed WHERE sop = '' HAVING count(*) > 0
"""
UNWANTED = """
SELECT DISTINCT entries.study, passed.series FROM passed JOIN entries USING (path, place, member)
WHERE passed.sop <> '' AND passed.weight = 'left out'
"""
PASSED = "SELECT name(path, member), weight, reason FROM passed ORDER BY path, place"
PASSED_OVER = """
SELECT holder, reason, weight, count(*), name(path, member), min(path)
FROM passed GROUP BY holder, reason, weight ORDER BY weight, holder
"""
