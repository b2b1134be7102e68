"""A second verifier of report folders, written from docs/LEDGER.md alone: Python 3, standard library only.

second-verifier.py FOLDER FINGERPRINT: a line for each thing that does not hold; exit status 0 when all holds, 1 when not.
"""
import base64
import hashlib
import json
import os
import re
import sys

faults = []


def check(holds, text):
    if not holds:
        faults.append(text)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Ed25519: RFC 8032 section 5.1 and the code of its section 6
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * ROOT % P
    if (x * x - x2) % P != 0:
        return None
    return P - x if x & 1 != sign else x


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(s, p):
    q = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            q = add(q, p)
        p = add(p, p)
        s >>= 1
    return q


GY = 4 * pow(5, P - 2, P) % P
GX = recover_x(GY, 0)
BASE = (GX, GY, 1, GX * GY % P)


def decompress(data):
    y = int.from_bytes(data, 'little')
    sign = y >> 255
    y &= (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def signature_fits(public, message, signature):
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], 'little')
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), 'little') % L
    one, two = times(s, BASE), add(r, times(h, a))
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


def canonical_number(value):
    """ECMAScript's Number::toString, which RFC 8785 section 3.2.2.3 asks for; repr gives the same digits."""
    if isinstance(value, int) or value == int(value) and abs(value) < 1e21:
        return str(int(value))
    sign = '-' if value < 0 else ''
    mantissa, _, exponent = repr(abs(value)).partition('e')
    whole, _, fraction = mantissa.partition('.')
    point = len(whole) + int(exponent or 0)
    digits = whole + (fraction if fraction != '0' else '')
    stripped = digits.lstrip('0')
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip('0')
    if 0 < point <= 21:
        return sign + (digits[:point].ljust(point, '0')) + ('.' + digits[point:] if len(digits) > point else '')
    if -6 < point <= 0:
        return sign + '0.' + '0' * -point + digits
    power = point - 1
    return f"{sign}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}e{'+' if power >= 0 else '-'}{abs(power)}"


def canonical(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode('utf-16-be'))
        return '{' + ','.join(f'{canonical(name)}:{canonical(item)}' for name, item in members) + '}'
    if isinstance(value, list):
        return '[' + ','.join(map(canonical, value)) + ']'
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return canonical_number(value)
    return json.dumps(value, ensure_ascii=False)


def parse(data, what):
    text = data.decode('utf-8')
    value = json.loads(text)
    check(canonical(value) == text, f'{what}: not in canonical form')
    return value


def open_envelope(data, what):
    envelope = parse(data, what)
    check(sorted(envelope) == ['payload', 'payloadType', 'signatures'], f'{what}: other members than those of an envelope')
    check(envelope['payloadType'] == 'application/vnd.in-toto+json', f'{what}: another type of payload')
    check(len(envelope['signatures']) == 1, f'{what}: not exactly one signature')
    payload = base64.b64decode(envelope['payload'], validate=True)
    check(base64.b64encode(payload).decode() == envelope['payload'], f'{what}: base64 in another spelling')
    signature = envelope['signatures'][0]
    check(signature['keyid'] == fingerprint, f"{what}: signed by {signature['keyid']}")
    kind = envelope['payloadType'].encode()
    encoded = b'DSSEv1 %d %s %d %s' % (len(kind), kind, len(payload), payload)
    check(signature_fits(public, encoded, base64.b64decode(signature['sig'])), f'{what}: the signature does not fit')
    return parse(payload, f'{what}: payload')


def merkle(leaves):
    """RFC 6962 section 2.1, from the leaves up."""
    level = [hashlib.sha256(b'\0' + leaf).digest() for leaf in leaves]
    if not level:
        return sha256(b'')
    while len(level) > 1:
        pairs = [hashlib.sha256(b'\1' + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex()


def lines_of(data):
    check(data == b'' or data.endswith(b'\n'), 'a last line without an end')
    return data.split(b'\n')[:-1]


def check_manifest(manifest, files):
    check(manifest['_type'] == 'https://in-toto.io/Statement/v1', 'manifest: no statement')
    check(manifest['predicateType'] == 'urn:custodia:report-manifest:v1', 'manifest: another predicate')
    told = {item['name']: item['digest']['sha256'] for item in manifest['subject']}
    check(len(told) == len(manifest['subject']), 'manifest: a file is named twice')
    check(sorted(told) == sorted(files), f'manifest: names {sorted(told)}, the folder has {sorted(files)}')
    for name, data in files.items():
        check(told.get(name) == sha256(data), f'{name}: not as it was signed')
        check(manifest['predicate']['sizes'].get(name) == len(data), f'{name}: another size than the manifest says')


def check_catalogue(report, lines, table):
    records = [parse(line, 'entries.jsonl') for line in lines]
    locators = [record['locator'].encode() for record in records]
    check(all(a < b for a, b in zip(locators, locators[1:])), 'entries.jsonl: not in order')
    check(merkle(lines) == report['catalogue']['root'], 'another catalogue root')
    check(len(lines) == report['catalogue']['entries'] == report['counts']['entries'], 'another number of entries')
    counts = {'files': 0, 'deleted': 0, 'bytes': 0}
    types = {}
    for record in records:
        types[record['type']] = types.get(record['type'], 0) + 1
        counts['files'] += record['type'] == 'file'
        counts['deleted'] += not (record['allocated']['name'] and record['allocated']['metadata'])
        counts['bytes'] += record.get('contentSize', record['size']) if 'digests' in record else 0
    check(types == report['counts']['byType'], 'other counts of types')
    check_table(records, table)
    for name, count in counts.items():
        check(count == report['counts'][name], f'{name}: {count}, the report says {report["counts"][name]}')


UNSEEN = re.compile('[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]')


def cell(text):
    shown = UNSEEN.sub(lambda found: '\\u{%x}' % ord(found[0]), text)
    guarded = "'" + shown if shown[:1] and shown[0] in '=+-@\uff1d\uff0b\uff0d\uff20' else shown
    return '"' + guarded.replace('"', '""') + '"' if any(sign in guarded for sign in '",') else guarded


def check_table(records, data):
    times, digests = ['modified', 'accessed', 'changed', 'created', 'deleted'], ['md5', 'sha1', 'sha256']
    rows = [['locator', 'path', 'type', 'size', 'allocated', *times, *digests, 'mediaType', 'problems']]
    for record in records:
        allocated = 'yes' if record['allocated']['name'] and record['allocated']['metadata'] else 'no'
        found = {}
        for time in record['times']:
            found.setdefault(time['kind'], time['time'])
        row = [record['locator'], record['path'], record['type'], str(record['size']), allocated]
        row += [found.get(kind, '') for kind in times] + [record.get('digests', {}).get(name, '') for name in digests]
        rows.append(row + [record.get('mediaType', ''), ' '.join(record.get('problems', []))])
    check(''.join(','.join(map(cell, row)) + '\r\n' for row in rows).encode() == data, 'entries.csv: not the table of entries.jsonl')


def check_problems(report, data):
    problems = [json.loads(line) for line in lines_of(data)]
    check(sha256(data) == report['problems']['sha256'], 'problems.jsonl: another digest')
    check(len(problems) == report['problems']['total'], 'another number of problems')
    check(sum(problem['hidesEvidence'] for problem in problems) == report['problems']['hidingEvidence'], 'another number that hide evidence')


def check_ledger(report, lines):
    exhibit = {'case': report['case'], 'label': report['exhibit']}
    name = f"{exhibit['case']}/{exhibit['label']}"
    before = None
    events = []
    for seq, line in enumerate(lines):
        what = f'event {seq}'
        statement = open_envelope(line, what)
        event = statement['predicate']
        check(statement['predicateType'] == 'urn:custodia:custody-event:v1', f'{what}: no custody event')
        check(event['seq'] == seq, f'{what}: its sequence number is {event["seq"]}')
        check(event['prev'] == (None if before is None else {'sha256': before}), f'{what}: names another event before it')
        check(event['exhibit'] == exhibit, f'{what}: about another exhibit')
        media = [d['value'] for d in event['digests'] if d['scope'] == 'media-stream' and d['algorithm'] == 'sha256']
        subject = [{'name': name, 'digest': {'sha256': sha256(canonical(exhibit).encode())}}]
        subject += [{'name': f'{name}#media-stream', 'digest': {'sha256': value}} for value in media[:1]]
        check(statement['subject'] == subject, f'{what}: another subject')
        before = sha256(line)
        events.append(event)
    check(report['ledger']['events'] == len(lines) and report['ledger']['head'] == before, 'another head than the report says')
    own = [event for event in events if event.get('step', {}).get('examination') == report['examination']['id']]
    last = {}  # of a unit that was begun anew, and of several conclusions, the last
    for event in own:
        last['conclude' if event['step']['kind'] == 'conclude' else event['step']['unit']] = event['seq']
    own = [event for event in own if event['seq'] in last.values()]
    digests = [digest for event in own for digest in event['digests']]
    signed = {(d['scope'], d['name'], d['algorithm'], d['point']): d['value'] for d in digests}
    for algorithm, value in report['media']['digests'].items():
        check(signed.get(('media-stream', 'media', algorithm, 'H1')) == value, f'{algorithm} of the medium: not what the ledger says')
    for point, files in (('H1', report['integrity']['atReceipt'] or []), ('H5', report['integrity']['atConclusion'])):
        for file in files:
            check(signed.get(('segment', file['name'], 'sha256', point)) == file['sha256'], f"{file['name']}: not what the ledger says at {point}")
    check(signed.get(('catalogue', 'catalogue root', 'sha256', 'H5')) == report['catalogue']['root'], 'another root than the ledger says')
    check(signed.get(('catalogue', 'entries.jsonl', 'sha256', 'H5')) == report['catalogue']['sha256'], 'another catalogue than the ledger says')
    steps = [event['step'] for event in own]
    counts = {step['kind']: step['counts'] for step in steps if step['outcome'] == 'done'}
    check(counts['survey']['mediaBytes'] == report['media']['size'], 'another size than the ledger says')
    told = sum(step['counts'].get('problems', 0) for step in steps)
    check(told == report['problems']['total'], 'another number of problems than the ledger says')
    check(counts['conclude']['entries'] == report['catalogue']['entries'], 'another number of entries than the ledger says')
    check(all(step['settings'] == report['profile'] for step in steps), 'other settings than the ledger says')
    told = report['integrity']['steps']
    check(told == {'total': len(steps), 'unchanged': sum(step['unchanged'] for step in steps)}, 'other steps than the ledger has')


def check_leaves(report, leaves):
    media = report['media']
    check(leaves['leafSize'] == media['leafSize'] and len(leaves['leaves']) == media['leaves'], 'other leaves')
    check(merkle([bytes.fromhex(leaf) for leaf in leaves['leaves']]) == media['leafRoot'], 'another leaf root')


folder, trusted = sys.argv[1:3]
files = {name: open(os.path.join(folder, name), 'rb').read() for name in os.listdir(folder)}
der = base64.b64decode(''.join(files['signer.pub'].decode().split('\n')[1:-2]))
public = der[-32:]
fingerprint = f'sha256:{sha256(der)}'
try:
    check(fingerprint == trusted, f'the key is {fingerprint}')
    manifest = open_envelope(files.pop('manifest.dsse.json'), 'manifest')
    check_manifest(manifest, files)
    report = parse(files['report.json'], 'report.json')
    told = manifest['predicate']
    expected = {
        'report': report['report']['id'],
        'format': report['report']['format'],
        'madeAt': report['report']['madeAt'],
        'case': report['case'],
        'exhibit': report['exhibit'],
        'examination': report['examination']['id'],
        'catalogueRoot': report['catalogue']['root'],
        'ledger': {'events': report['ledger']['events'], 'head': report['ledger']['head']},
    }
    for name, value in expected.items():
        check(told.get(name) == value, f'the manifest states another {name}')
    check(sha256(files['entries.jsonl']) == report['catalogue']['sha256'], 'entries.jsonl: another digest')
    check_catalogue(report, lines_of(files['entries.jsonl']), files['entries.csv'])
    check_problems(report, files['problems.jsonl'])
    check_leaves(report, parse(files['leaves.json'], 'leaves.json'))
    check_ledger(report, lines_of(files['ledger.jsonl']))
except (KeyError, TypeError, ValueError, IndexError) as error:
    faults.append(f'not readable: {error!r}')
for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
