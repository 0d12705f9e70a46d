-- When somebody must look at the thread unless it has moved by then, in milliseconds since the epoch.
ALTER TABLE hitl_threads ADD COLUMN due_ms INTEGER;

-- Most threads have ended or wait for a person without a deadline, and are not in it.
CREATE INDEX hitl_threads_due ON hitl_threads (due_ms) WHERE due_ms IS NOT NULL;

-- What an older program was running may have been left alone: look at once. So too at what waits with a deadline.
UPDATE hitl_threads SET due_ms = 0 WHERE standing = 0;
UPDATE hitl_threads SET due_ms = (SELECT min(deadline_ms) FROM hitl_reviews WHERE thread = hitl_threads.id)
    WHERE standing = 1;
