CREATE TABLE hitl_threads (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    standing INTEGER NOT NULL, -- 0 running, 1 waiting, 2 in doubt, 3 failed, 4 ended
    snapshot INTEGER NOT NULL -- the place of the last snapshot, or 0
) STRICT;

-- Most threads have ended, and no query looks for those.
CREATE INDEX hitl_threads_open ON hitl_threads (standing, name) WHERE standing < 4;

-- A rowid table with a unique key. WITHOUT ROWID takes three times the bytes. One key that packs thread and place
-- into the rowid takes as many as this, and six times the WAL when many threads append concurrently, because each
-- of them then writes to another page.
CREATE TABLE hitl_entries (
    thread INTEGER NOT NULL REFERENCES hitl_threads (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    snapshot INTEGER NOT NULL, -- 1 when no entry before this one is needed
    hash BLOB NOT NULL, -- of the hash before it and of the body
    body BLOB NOT NULL, -- JSON
    UNIQUE (thread, place)
) STRICT;

CREATE TABLE hitl_reviews (
    id INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL REFERENCES hitl_threads (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    deadline_ms INTEGER,
    digest BLOB NOT NULL,
    graph TEXT NOT NULL,
    node TEXT NOT NULL,
    role TEXT
) STRICT;

CREATE INDEX hitl_reviews_thread ON hitl_reviews (thread);

-- The rowid stands at the end of every index, so this one orders by (opened_ms, id).
CREATE INDEX hitl_reviews_age ON hitl_reviews (opened_ms);
