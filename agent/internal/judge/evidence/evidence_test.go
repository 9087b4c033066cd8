package evidence_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/evidence"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/internal/locale"
	"buzon/agent/internal/report"
	"buzon/agent/policy"
)

const (
	vm     = "arn:aws:iam::111122223333:user/buzon/vm-01"
	writes = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/uploads/vm-01/*"}`
)

var then = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func document(statements ...string) string {
	return "{\"Version\": \"2012-10-17\", \"Statement\": [\n" + strings.Join(statements, ",\n") + "\n]}"
}

// filed is an audit of files, and its report.
type filed struct {
	found  *sources.Found
	opts   audit.Options
	report []byte
	bundle *evidence.Bundle
}

func file(t testing.TB, files map[string]string, sel sources.Selection, opts audit.Options) filed {
	t.Helper()
	sel.Bucket, sel.Prefix = "b", "uploads/{name}/"
	found, err := sources.Load(t.Context(), sel, sources.Access{ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	return judged(t, found, opts)
}

func judged(t testing.TB, found *sources.Found, opts audit.Options) filed {
	t.Helper()
	opts.Now, opts.Version = then, "1.0"
	result := audit.Judge(t.Context(), found, opts)
	f := filed{found: found, opts: opts, report: asJSON(t, result)}
	f.bundle = evidence.New(found, opts, result, f.report, "en", "")
	return f
}

func asJSON(t testing.TB, r *audit.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.AuditJSON(&b, locale.Load("en"), r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, b *evidence.Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := evidence.Write(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// again holds a bundle to what was decided when it was made.
func (f filed) again(t testing.TB) *evidence.Bundle {
	t.Helper()
	packed := write(t, f.bundle)
	b, err := evidence.Read(packed)
	if err != nil {
		t.Fatal(err)
	}
	if got := asJSON(t, b.Judge(t.Context(), then, "1.0")); !bytes.Equal(got, f.report) {
		t.Fatalf("computed again it is\n%s\nwas\n%s", got, f.report)
	}
	if !bytes.Equal(write(t, b), packed) {
		t.Fatal("what was read is not written as it was")
	}
	return b
}

const template = `Parameters:
  Stage: {Type: String, AllowedValues: [prod, dev]}
  Token: {Type: String, NoEcho: true}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources:
  U:
    Type: AWS::IAM::User
    Properties:
      Path: /buzon/
      UserName: vm-01
      Policies:
        - PolicyName: own
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::b/uploads/vm-01/*", Condition: {StringEquals: {"aws:PrincipalTag/token": !Ref Token}}}
              - !If [Prod, {Effect: Allow, Action: "s3:GetObject", Resource: !Sub "arn:aws:s3:::b/${AWS::StackName}/*"}, !Ref AWS::NoValue]
  Server:
    Type: AWS::EC2::Instance
    Properties: {UserData: "PLANTED-elsewhere"}
`

var export = `{"UserDetailList": [{"Path": "/buzon/", "UserName": "vm-01", "UserId": "AIDAEXAMPLEEXAMPLE01", "Arn": "` + vm + `",
  "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": ` + document(writes, `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2027-06-01T00:00:00Z"}}}`) + `}],
  "Tags": [{"Key": "note", "Value": "PLANTED-in-a-tag"}]},
  {"Path": "/", "UserName": "other", "UserId": "AIDAEXAMPLEEXAMPLE02", "Arn": "arn:aws:iam::111122223333:user/other",
  "UserPolicyList": [{"PolicyName": "PLANTED-of-another", "PolicyDocument": ` + document(writes) + `}]}],
  "GroupDetailList": [], "RoleDetailList": [], "Policies": [], "IsTruncated": false}`

// cases are audits of every kind of source.
func cases(t testing.TB) map[string]filed {
	t.Helper()
	waivers, err := audit.ParseWaivers("w.yaml", []byte(`waivers:
  - {rule: read-object, principal: "`+vm+`", reason: agreed, who: r.lopez, until: 2026-12-31}
`))
	if err != nil {
		t.Fatal(err)
	}
	loose := func(kind policy.Kind, name string) sources.Document { return sources.Document{Kind: kind, File: name} }
	return map[string]filed{
		"files": file(t, map[string]string{
			"own":    document(writes, `{"Sid": "R", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}`),
			"bucket": document(`{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/*"}`),
			"printed": `{"UserName": "vm-01", "PolicyName": "p", "PolicyDocument": ` + document(`{"Effect": "Allow", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::b/*"}`) +
				`, "Note": "PLANTED-around"}`,
		}, sources.Selection{Principals: []string{vm}, Documents: []sources.Document{loose(policy.UserInline, "own"), loose(policy.UserInline, "printed"), loose(policy.BucketPolicy, "bucket")}},
			audit.Options{Waivers: waivers, Allow: []string{"kms:GenerateDataKey"}, Strict: true}),
		"template": file(t, map[string]string{"t": template}, sources.Selection{Templates: []string{"t"}, Parameters: []string{"Token=PLANTED-token"}}, audit.Options{}),
		"export":   file(t, map[string]string{"x": export}, sources.Selection{Exports: []string{"x"}}, audit.Options{}),
		"drift": file(t, map[string]string{"x": export, "t": strings.Replace(template, "!Ref Token", `x`, 1)},
			sources.Selection{Exports: []string{"x"}, Compare: []string{"t"}}, audit.Options{}),
		"plan": file(t, map[string]string{"p": plan}, sources.Selection{Plans: []string{"p"}}, audit.Options{}),
	}
}

var plan = `{"format_version": "1.2", "terraform_version": "1.9.0",
 "variables": {"token": {"value": "PLANTED-variable"}},
 "planned_values": {"root_module": {"resources": [
  {"address": "aws_iam_user.vm", "mode": "managed", "type": "aws_iam_user", "name": "vm", "provider_name": "p", "schema_version": 0,
   "values": {"name": "vm-01", "path": "/buzon/", "arn": "` + vm + `"}, "sensitive_values": {}},
  {"address": "aws_iam_user_policy.vm", "mode": "managed", "type": "aws_iam_user_policy", "name": "vm", "provider_name": "p", "schema_version": 0,
   "values": {"name": "own", "user": "vm-01", "policy": ` + quoted(document(strings.TrimSuffix(writes, "}")+`, "Condition": {"StringEquals": {"aws:PrincipalTag/t": "PLANTED-variable"}}}`)) + `}, "sensitive_values": {}},
  {"address": "aws_instance.x", "mode": "managed", "type": "aws_instance", "name": "x", "provider_name": "p", "schema_version": 0,
   "values": {"user_data": "PLANTED-user-data"}, "sensitive_values": {"user_data": true}}]}},
 "resource_changes": [
  {"address": "aws_iam_user.vm", "mode": "managed", "type": "aws_iam_user", "name": "vm", "provider_name": "p", "change": {"actions": ["no-op"], "after": {"name": "vm-01"}, "after_unknown": {}, "after_sensitive": {}}},
  {"address": "aws_instance.x", "mode": "managed", "type": "aws_instance", "name": "x", "provider_name": "p", "change": {"actions": ["create"], "after": {"user_data": "PLANTED-user-data"}, "after_unknown": {}, "after_sensitive": {"user_data": true}}}],
 "configuration": {"root_module": {"variables": {"token": {"sensitive": true}}, "resources": [
  {"address": "aws_iam_user.vm", "mode": "managed", "type": "aws_iam_user", "name": "vm", "expressions": {"name": {}, "path": {}}},
  {"address": "aws_iam_user_policy.vm", "mode": "managed", "type": "aws_iam_user_policy", "name": "vm", "expressions": {"name": {}, "user": {"references": ["aws_iam_user.vm"]}, "policy": {"references": ["var.token"]}}},
  {"address": "aws_instance.x", "mode": "managed", "type": "aws_instance", "name": "x", "expressions": {}}]}}}`

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// What was filed gives the same report again, byte for byte, whatever it was read from.
func TestABundleGivesItsReportAgain(t *testing.T) {
	for name, f := range cases(t) {
		t.Run(name, func(t *testing.T) {
			b := f.again(t)
			if b.Manifest.Verdict == audit.WriteOnly || len(b.Manifest.Documents) == 0 || len(b.Manifest.Inputs) == 0 {
				t.Errorf("%s: this case shows nothing: %+v", b.Manifest.Verdict, b.Manifest)
			}
			for _, d := range b.Manifest.Documents {
				if !d.Parsed {
					t.Errorf("%+v can't be held to what was judged", d)
				}
			}
		})
	}
}

// The same holds of whatever documents there may be, with what live sources add.
func TestAnySetIsFiledWhole(t *testing.T) {
	found := &sources.Found{NotJudged: 3, Parameters: map[string]string{"A": "b"}}
	sets := 40
	if testing.Short() {
		sets = 15
	}
	for seed := range sets {
		s := sources.Subject{Set: *judgetest.Set(judgetest.Seeded(uint64(seed) + 77)), Prefix: "p/", Live: seed%2 == 0}
		s.Whose = s.Set.Subject.ARN
		if s.Live {
			s.Credentials = &sources.Credentials{Keys: []sources.Key{{ID: "ABCD", Active: true, Created: then.AddDate(-1, 0, 0)}}, Password: seed%4 == 0}
			s.Gaps = []sources.Gap{{Reason: sources.GapDenied, What: "x", Permission: "s3:GetBucketAcl", Call: "s3:GetBucketAcl", Source: -1}}
			s.Simulations = []sources.Simulation{{Asked: sources.Asked{Action: "s3:DeleteBucket", Resource: "arn:aws:s3:::zz"}, Allowed: true, Decision: "allowed"}}
			s.Notes = []sources.Note{{What: sources.NoteGuessedARN, Source: -1, Name: "n"}}
		}
		for i := range s.Set.Sources {
			src := &s.Set.Sources[i]
			src.Raw = src.Document.JSON()
			src.SHA256 = evidence.Digest(src.Raw)
		}
		found.Subjects = append(found.Subjects, s)
	}
	judged(t, found, audit.Options{Budget: reach.Budget{States: 2_000, Boxes: 300}}).again(t)
}

// As of another time, dated conditions and waivers count as of that time.
func TestTimeIsTheOnlyDifference(t *testing.T) {
	all := cases(t)
	for name, at := range map[string]time.Time{"export": time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC), "files": time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)} {
		b := all[name].again(t)
		if now := asJSON(t, b.Judge(t.Context(), at, "1.0")); bytes.Contains(now, []byte(`"rule": "read-object"`)) == (name == "export") {
			t.Errorf("%s: as of %s it is\n%s", name, at, now)
		}
	}
}

// Any byte of a bundle that is altered is found, or changes nothing: what is read decides the
// same.
func TestAnAlteredByteIsFound(t *testing.T) {
	f := cases(t)["files"]
	packed := write(t, f.bundle)
	step := 1
	if testing.Short() {
		step = 37
	}
	for at := 0; at < len(packed); at += step {
		altered := bytes.Clone(packed)
		altered[at] ^= 0x41
		b, err := evidence.Read(altered)
		if err != nil {
			var fault *evidence.FormError
			if !errors.As(err, &fault) {
				t.Fatalf("byte %d: %v is no fault of the bundle", at, err)
			}
			continue
		}
		if !bytes.Equal(write(t, b), packed) { // say the operating system in gzip's header
			t.Fatalf("byte %d was altered, and what was read is another", at)
		}
	}
}

// An alteration that keeps the hashes right is found by computing again.
func TestAnAlteredBundleIsComputedAgain(t *testing.T) {
	for what, alter := range map[string]func(*evidence.Bundle){
		"the report":  func(b *evidence.Bundle) { b.Report = bytes.ReplaceAll(b.Report, []byte("read-object"), []byte("list")) },
		"a right":     func(b *evidence.Bundle) { b.Found.Subjects[0].Set.Sources = b.Found.Subjects[0].Set.Sources[:1] },
		"the waivers": func(b *evidence.Bundle) { b.Manifest.Options.Waivers = nil },
	} {
		b := cases(t)["files"].again(t)
		alter(b)
		read, err := evidence.Read(write(t, b))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		_, err = read.Check(asJSON(t, read.Judge(t.Context(), then, "1.0")), read.Manifest.Tool)
		var fault *evidence.FormError
		if !errors.As(err, &fault) || fault.Code != evidence.NotAgain {
			t.Errorf("%s: %v", what, err)
		}
		other := read.Manifest.Tool
		other.Version = "2.0"
		if _, err := read.Check(asJSON(t, read.Judge(t.Context(), then, "2.0")), other); err != nil {
			t.Errorf("%s: another version may decide otherwise, and is refused: %v", what, err)
		}
	}
	b := cases(t)["files"].again(t)
	b.Found.Subjects[0].Set.Sources[0].Raw = []byte(document(writes))
	if _, err := evidence.Read(write(t, b)); err != nil {
		t.Fatalf("a text that isn't the document is replaced by the document: %v", err)
	}
}

// A bundle of the first version is read and decided the same by all that follow.
// BUZON_WRITE_DOCS=1 go test ./agent/internal/judge/evidence -run TestTheFirst makes it, where there is none.
func TestTheFirstBundleIsReadForEver(t *testing.T) {
	path := filepath.Join("testdata", "first.evidence")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("BUZON_WRITE_DOCS") != "" {
		text = write(t, cases(t)["drift"].bundle)
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	again := asJSON(t, b.Judge(t.Context(), b.Manifest.Generated, b.Manifest.Tool.Version))
	if agrees, err := evidence.Agree(b.Report, again); err != nil || agrees == evidence.Otherwise {
		t.Errorf("%v: it is decided otherwise now:\n%s", err, again)
	}
}

// Whatever an archive holds, reading it ends in a fault or in a bundle that is written as it
// was read. (To judge each would take seconds of each.)
func FuzzRead(f *testing.F) {
	files, err := os.ReadFile(filepath.Join("testdata", "first.evidence"))
	if err != nil {
		f.Fatal(err)
	}
	b, err := evidence.Read(files)
	if err != nil {
		f.Fatal(err)
	}
	b.Found.Subjects, b.Manifest.Options.Budget.Work = b.Found.Subjects[:1], 20_000
	seed := map[string][]byte{}
	zip, err := gzip.NewReader(bytes.NewReader(write(f, b)))
	if err != nil {
		f.Fatal(err)
	}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if err != nil {
			break
		}
		if seed[h.Name], err = io.ReadAll(archive); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(seed["judged.json"], seed["documents/000001.json"])
	f.Fuzz(func(t *testing.T, judged, document []byte) {
		all := maps.Clone(seed)
		all["judged.json"], all["documents/000001.json"] = judged, document
		var m evidence.Manifest
		if err := json.Unmarshal(all["manifest.json"], &m); err != nil {
			t.Fatal(err)
		}
		for i := range m.Files {
			text := all[m.Files[i].Path]
			m.Files[i].SHA256, m.Files[i].Bytes = evidence.Digest(text), len(text)
		}
		all["manifest.json"], _ = json.Marshal(m) // it was one
		var entries []entry
		for _, name := range slices.Sorted(maps.Keys(all)) {
			entries = append(entries, entry{name: name, text: string(all[name])})
		}
		packed := archive(t, entries...)
		b, err := evidence.Read(packed)
		if err != nil {
			return
		}
		if _, err := evidence.Read(write(t, b)); err != nil {
			t.Fatalf("what was read isn't taken again: %v", err)
		}
	})
}

// entry is one of an archive that somebody else made.
type entry struct {
	name, text string
	kind       byte
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Size: int64(len(e.text)), Mode: 0o644}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			h.Linkname = "manifest.json"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Nobody's archive is trusted: links, other names, names twice, too much, and no bundle at all.
func TestHostileArchivesAreRefused(t *testing.T) {
	good := write(t, cases(t)["files"].bundle)
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	w := tar.NewWriter(zip)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "manifest.json", Size: 1 << 40, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want evidence.Fault
	}{
		"nothing":             {nil, evidence.NoArchive},
		"text":                {[]byte("manifest"), evidence.NoArchive},
		"cut":                 {good[:len(good)/2], evidence.NoArchive},
		"more behind":         {append(bytes.Clone(good), "more"...), evidence.Trailing},
		"twice behind":        {append(bytes.Clone(good), good...), evidence.Trailing},
		"empty":               {archive(t), evidence.Missing},
		"a link":              {archive(t, entry{name: "judged.json", kind: tar.TypeSymlink}), evidence.NoFile},
		"a hard link":         {archive(t, entry{name: "judged.json", kind: tar.TypeLink}), evidence.NoFile},
		"a folder":            {archive(t, entry{name: "documents/", kind: tar.TypeDir}), evidence.NoFile},
		"a device":            {archive(t, entry{name: "documents/000001.json", kind: tar.TypeChar}), evidence.NoFile},
		"a way out":           {archive(t, entry{name: "../../etc/passwd", text: "x"}), evidence.OtherName},
		"an absolute name":    {archive(t, entry{name: "/manifest.json", text: "{}"}), evidence.OtherName},
		"another name":        {archive(t, entry{name: "documents/1.json", text: "{}"}), evidence.OtherName},
		"a name twice":        {archive(t, entry{name: "manifest.json", text: "{}"}, entry{name: "manifest.json", text: "{}"}), evidence.Twice},
		"an empty name twice": {archive(t, entry{name: "manifest.json"}, entry{name: "manifest.json"}), evidence.Twice},
		"no JSON":             {archive(t, entry{name: "manifest.json", text: "{"}), evidence.Unreadable},
		"an unknown key":      {archive(t, entry{name: "manifest.json", text: `{"x": 1}`}), evidence.Unreadable},
		"another schema":      {archive(t, entry{name: "manifest.json", text: `{"schema": "buzon/evidence/v9"}`}), evidence.Another},
		"a bomb":              {bomb.Bytes(), evidence.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.Read(c.file)
			var fault *evidence.FormError
			if !errors.As(err, &fault) || fault.Code != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// No secret of a source is in a bundle: not what its source calls one, and not what stands
// beside what was judged.
func TestNoPlantedSecretIsFiled(t *testing.T) {
	for name, f := range cases(t) {
		if named := len(f.found.Secrets) > 0; named != (name == "template" || name == "plan") {
			t.Errorf("%s: its source calls %d values secret", name, len(f.found.Secrets))
		}
		packed := write(t, f.bundle)
		b, err := evidence.Read(packed)
		if err != nil {
			t.Fatal(err)
		}
		hide := func(s string) string {
			for _, secret := range f.found.Secrets {
				s = strings.ReplaceAll(s, secret, report.Hidden)
			}
			return s
		}
		evidence.Conceal(b.Found, hide)
		b.Report = []byte(hide(string(b.Report)))
		if got := asJSON(t, b.Judge(t.Context(), then, "1.0")); !bytes.Equal(got, b.Report) {
			t.Errorf("%s: without its secrets the report is\n%s\nnot\n%s", name, got, b.Report)
		}
		zip, err := gzip.NewReader(bytes.NewReader(write(t, b)))
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(zip); err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(plain.Bytes(), []byte("PLANTED-")); at >= 0 {
			t.Errorf("%s files a secret: %s", name, plain.Bytes()[max(at-200, 0):at+60])
		}
	}
}

// newKey makes a pair of SSH keys.
func newKey(t *testing.T, passphrase string) (private, public []byte) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(line)
}

func TestSignatures(t *testing.T) {
	privateKey, publicKey := newKey(t, "")
	_, otherKey := newKey(t, "")
	text := write(t, cases(t)["files"].bundle)
	signature, err := evidence.Sign(text, privateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	who, err := evidence.Signed(text, signature, publicKey)
	if err != nil || !strings.HasPrefix(who, "SHA256:") {
		t.Fatalf("%q %v", who, err)
	}
	want := func(what string, code evidence.KeyFault, err error) {
		t.Helper()
		var fault *evidence.KeyError
		if !errors.As(err, &fault) || fault.Code != code {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	for at := 0; at < len(text); at += 1 + len(text)/50 {
		altered := bytes.Clone(text)
		altered[at]++
		_, err := evidence.Signed(altered, signature, publicKey)
		want("an altered byte", evidence.NotTheFile, err)
	}
	_, err = evidence.Signed(text, signature, otherKey)
	want("another signer", evidence.OtherSigner, err)
	_, err = evidence.Signed(text, []byte("no signature"), publicKey)
	want("no signature", evidence.BadSignature, err)
	_, err = evidence.Signed(text, signature, []byte("no key"))
	want("no key", evidence.KeyPublic, err)
	_, err = evidence.Sign(text, []byte("no key"), nil)
	want("no private key", evidence.KeyUnreadable, err)

	lockedKey, itsPublic := newKey(t, "open sesame")
	_, err = evidence.Sign(text, lockedKey, nil)
	want("a locked key", evidence.KeyLocked, err)
	if signature, err = evidence.Sign(text, lockedKey, []byte("open sesame")); err == nil {
		_, err = evidence.Signed(text, signature, itsPublic)
	}
	if err != nil {
		t.Errorf("with its passphrase: %v", err)
	}
}
