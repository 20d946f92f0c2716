// The voice command `compliance_check`, by table. What the checks find is the subject of compliance.test.mjs.
import assert from 'node:assert/strict';
import { each, isEnd, NO_TEXTS, testCommand, tooMany, wrong } from '../lib/command.mjs';
import { TIMESTAMP } from '../lib/inbox.mjs';

const TYPE = 'one of gdpr, nis2, security, all';
const SEVERITY = 'one of low, medium, high, critical';
const SEVERITIES = ['low', 'medium', 'high', 'critical'];

/** A check of this type and severity: answered, carried out, told and kept. */
const checks = (type, severity, accepted) => async (room, { compliance: { id, timestamp } }, last) => {
  assert.match(id, /^job_[0-9a-f-]{36}$/);
  assert.match(timestamp, TIMESTAMP);
  const { json: report } = await room.http('GET', `/compliance/reports/${id}`);
  const { result } = report;
  assert.deepEqual(report, { id, type, severity, status: 'completed', timestamp, result });
  assert.deepEqual(last.data.result, result);
  assert.deepEqual([result.id, result.type, result.severity], [id, type, severity]);
  for (const finding of result.findings) assert.ok(SEVERITIES.indexOf(finding.severity) >= SEVERITIES.indexOf(severity), finding.severity);
  const message = 'Compliance check started';
  return {
    data: { compliance: { id, type, severity, status: 'running', timestamp }, message },
    accepted,
    summary: { id, type, severity, message },
    published: [{ name: 'integration_event', type: 'SYNC_STARTED', source: 'voice', data: { operation: 'compliance_check', result: { id, type, severity } } }],
    behind: [{ name: 'integration_event', type: 'SYNC_COMPLETED', source: 'system', data: { operation: 'compliance_check', result, duration: 'ms' } }],
  };
};

testCommand('compliance_check', {
  permission: 'compliance:run',
  table: 'job',
  isEnd,
  prepare: (room) => room.lead('fair', { email: 'ann@example.com' }),
  successes: [
    ['the usual one', {}, checks('nis2', 'medium')],
    ['no parameters', undefined, checks('nis2', 'medium', {})],
    ['null as parameters', null, checks('nis2', 'medium', {})],
    ['null as each parameter, and members that are not known', { check_type: null, severity: null, tenantId: 'rival' }, checks('nis2', 'medium', {})],
    ...['gdpr', 'nis2', 'security', 'all'].flatMap((check_type) => SEVERITIES.map((severity) =>
      [`${check_type}, ${severity}`, { check_type, severity }, checks(check_type, severity)])),
    ['a type with the usual severity', { check_type: 'gdpr' }, checks('gdpr', 'medium')],
    ['a severity with the usual type', { severity: 'low' }, checks('nis2', 'low')],
  ],
  failures: [
    ...each('check_type', TYPE, [['a word that is none', 'hipaa'], ['empty', ''], ['in capitals', 'GDPR'], ['blanks around it', ' nis2'], ...NO_TEXTS]),
    ...each('severity', SEVERITY, [['a word that is none', 'fatal'], ['empty', ''], ['in capitals', 'MEDIUM'], ['a number as text', '1'], ...NO_TEXTS]),
    ['both at once', { severity: 3, check_type: 'NIS2' }, [wrong('check_type', TYPE), wrong('severity', SEVERITY)]],
    ['one of two', { severity: {}, check_type: 'all' }, [wrong('severity', SEVERITY)]],
  ],
  breaks: [tooMany('compliance_check')],
});
