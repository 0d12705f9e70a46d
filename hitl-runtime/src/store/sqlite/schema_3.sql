-- A commit writes at least one page of each B-tree that it touches: two for the reviews, where there were three. The
-- reviews of one thread are adjacent, because an append compares all of them with the new ones.
CREATE TABLE hitl_reviews_3 (
    thread INTEGER NOT NULL REFERENCES hitl_threads (id) ON DELETE CASCADE,
    opened_ms INTEGER NOT NULL,
    id INTEGER NOT NULL, -- unique among the reviews that were opened in the same millisecond
    place INTEGER NOT NULL,
    deadline_ms INTEGER,
    digest BLOB NOT NULL,
    graph TEXT NOT NULL,
    node TEXT NOT NULL,
    role TEXT,
    PRIMARY KEY (thread, opened_ms, id)
) STRICT, WITHOUT ROWID;

-- The ids are kept, so that the token of a page stays valid.
INSERT INTO hitl_reviews_3 (thread, opened_ms, id, place, deadline_ms, digest, graph, node, role)
    SELECT thread, opened_ms, id, place, deadline_ms, digest, graph, node, role FROM hitl_reviews;
DROP TABLE hitl_reviews;
ALTER TABLE hitl_reviews_3 RENAME TO hitl_reviews;

-- The order of the list.
CREATE UNIQUE INDEX hitl_reviews_age ON hitl_reviews (opened_ms, id);
