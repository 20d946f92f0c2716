// The voice command `start_backup`, by table. What is in a backup is the subject of backup.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { each, isEnd, NO_TEXTS, testCommand, tooMany, wrong } from '../lib/command.mjs';
import { TIMESTAMP } from '../lib/inbox.mjs';

const TYPE = 'one of full, incremental';
const PRIORITY = 'one of low, normal, high';

/** A backup of this type, which was asked for with this priority: answered, made and told. */
const makes = (type, priority, accepted = { backup_type: type, priority }) => (room, { backup: { id, timestamp } }) => {
  assert.match(id, /^job_[0-9a-f-]{36}$/);
  assert.match(timestamp, TIMESTAMP);
  const place = path.join(room.server.dataDir, 'backups', 'acme', id);
  const { manifest } = JSON.parse(readFileSync(path.join(place, 'manifest.json'), 'utf8'));
  assert.deepEqual([manifest.tenantId, manifest.type, manifest.base?.id ?? null], ['acme', type, type === 'full' ? null : room.lastBackup]);
  assert.match(room.server.command('backup', 'verify', '--tenant', 'acme', id), /is whole/);
  room.lastBackup = id;
  const size = statSync(path.join(place, 'data.json-seq.gz')).size;
  const rows = Object.values(manifest.rows).reduce((all, count) => all + count, 0);
  const result = { id, type, base: manifest.base?.id ?? null, size, rows, leads: manifest.rows.leads, sha256: manifest.data.sha256, auditHead: manifest.point.auditHead };
  const message = 'Backup started';
  const data = { backup: { id, type, priority, status: 'started', timestamp }, message };
  return {
    data,
    accepted,
    summary: data,
    published: [{ name: 'integration_event', type: 'SYNC_STARTED', source: 'voice', data: { operation: 'backup', result: { id, type, priority } } }],
    behind: [{ name: 'integration_event', type: 'SYNC_COMPLETED', source: 'system', data: { operation: 'backup', result, duration: 'ms' } }],
  };
};

testCommand('start_backup', {
  permission: 'backup:run',
  table: 'job',
  isEnd,
  prepare: (room) => room.lead('fair', { email: 'ann@example.com' }),
  successes: [
    ['a full one, with the usual priority', {}, makes('full', 'normal')],
    ['no parameters', undefined, makes('full', 'normal')],
    ['null as parameters', null, makes('full', 'normal')],
    ['null as each parameter, and members that are not known', { backup_type: null, priority: null, tenantId: 'rival' }, makes('full', 'normal')],
    ...['full', 'incremental'].flatMap((backup_type) => ['low', 'normal', 'high'].map((priority) =>
      [`${backup_type}, ${priority}`, { backup_type, priority }, makes(backup_type, priority)])),
    ['an incremental one, with the usual priority', { backup_type: 'incremental' }, makes('incremental', 'normal')],
  ],
  failures: [
    ...each('backup_type', TYPE, [['a word that is none', 'differential'], ['empty', ''], ['in capitals', 'FULL'], ['blanks around it', ' full '], ...NO_TEXTS]),
    ...each('priority', PRIORITY, [['a word that is none', 'urgent'], ['empty', ''], ['in capitals', 'HIGH'], ['a number as text', '1'], ...NO_TEXTS]),
    ['one of two, the other is null', { priority: null, backup_type: 7 }, [wrong('backup_type', TYPE)]],
    ['both at once', { priority: 2, backup_type: 'all' }, [wrong('backup_type', TYPE), wrong('priority', PRIORITY)]],
  ],
  breaks: [tooMany('backup')],
});
