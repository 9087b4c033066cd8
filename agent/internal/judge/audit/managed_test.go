package audit_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/judge/audit"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
)

// The collection of AWS's managed policies comes with the Python package moto,
// of which nothing else is used and nothing is committed.
const (
	motoVersion = "5.2.5"
	motoWheel   = "moto-" + motoVersion + "-py3-none-any.whl"
	motoSHA256  = "eef62cdcf3bfe73e0863743511ba042dfaba04ba3d5ecdcb896a196c693ad528"
	motoFile    = "moto/iam/aws_managed_policies.py"
)

// managedPolicies returns AWS's managed policies by name. The test is skipped
// where they are not in the cache and can't be fetched.
func managedPolicies(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	wheel, err := fetchMoto(t)
	if err != nil {
		fmt.Printf("SKIPPED: AWS's managed policies are not to be had: %v\n", err)
		t.Skip()
	}
	packed, err := zip.OpenReader(wheel)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	file, err := packed.Open(motoFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `"""`)
	data, _, _ := strings.Cut(rest, `"""`)
	var all map[string]struct{ Document json.RawMessage }
	if err := json.Unmarshal([]byte(data), &all); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]json.RawMessage, len(all))
	for name, p := range all {
		out[name] = p.Document
	}
	return out
}

// fetchMoto returns the pinned wheel's path in the cache.
func fetchMoto(t testing.TB) (string, error) {
	cache := os.Getenv("BUZON_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(base, "buzon")
	}
	path := filepath.Join(cache, motoWheel)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if testing.Short() {
			return "", errors.New("nothing is fetched with -short")
		}
		if err := os.MkdirAll(cache, 0o755); err != nil {
			return "", err
		}
		fresh, err := os.MkdirTemp(cache, "moto-new-")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(fresh) }()
		pip := exec.CommandContext(t.Context(), "python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
			"--no-deps", "--no-binary", ":none:", "--dest", fresh, "moto=="+motoVersion)
		if out, err := pip.CombinedOutput(); err != nil {
			return "", fmt.Errorf("pip download: %w\n%s", err, out)
		}
		if err := os.Rename(filepath.Join(fresh, motoWheel), path); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != motoSHA256 {
		t.Fatalf("%s is not the pinned one: its SHA-256 is %x", path, sum)
	}
	return path, nil
}

const accountID = "111122223333"

// object is a JSON object of an export.
type object = map[string]any

// exported makes what get-account-authorization-details prints.
func exported(t testing.TB, users, policies []object) []byte {
	t.Helper()
	text, err := json.Marshal(object{"UserDetailList": users, "GroupDetailList": []object{}, "RoleDetailList": []object{}, "Policies": append([]object{}, policies...)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func user(number int, name string, more object) object {
	u := object{
		"UserName": name, "Path": "/buzon/", "UserId": fmt.Sprintf("AIDAEXAMPLE%09d", number),
		"Arn": "arn:aws:iam::" + accountID + ":user/buzon/" + name, "GroupList": []string{},
	}
	for k, v := range more {
		u[k] = v
	}
	return u
}

// load reads an export.
func load(t testing.TB, export []byte) *sources.Found {
	t.Helper()
	found, err := sources.Load(t.Context(), sources.Selection{
		Bucket: "acme-uploads", Prefix: "uploads/{name}/", Path: "/", Exports: []string{"export.json"},
	}, sources.Access{ReadFile: func(string) ([]byte, error) { return export, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sane are the policies of which it is known what must be found.
var sane = []string{"AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "AdministratorAccess"}

var now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// usersOfManagedPolicies exports an account with one user for each managed
// policy, which is all that it holds. The user is named like the policy.
func usersOfManagedPolicies(t testing.TB) []byte {
	policies := managedPolicies(t)
	names := make([]string, 0, len(policies))
	for name := range policies {
		names = append(names, name)
	}
	slices.Sort(names)
	if testing.Short() {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(sane, name) && name[0] != 'D' })
	}
	var users, documents []object
	for i, name := range names {
		arn := "arn:aws:iam::aws:policy/" + name
		users = append(users, user(i, name, object{"AttachedManagedPolicies": []object{{"PolicyName": name, "PolicyArn": arn}}}))
		documents = append(documents, object{"PolicyName": name, "Arn": arn, "DefaultVersionId": "v1", "PolicyVersionList": []object{
			{"VersionId": "v1", "IsDefaultVersion": true, "Document": policies[name]},
		}})
	}
	return exported(t, users, documents)
}

func TestEveryManagedPolicyIsJudgedWithinTheBudget(t *testing.T) {
	export := usersOfManagedPolicies(t)
	began, cpu := time.Now(), cpuTime(t)
	report := audit.Judge(t.Context(), load(t, export), audit.Options{Now: now})
	took, used := time.Since(began), cpuTime(t)-cpu
	judged := 0
	verdicts := make(map[audit.Verdict]int)
	open := make(map[string]int)
	for i := range report.Principals {
		p := &report.Principals[i]
		name := p.ARN[strings.LastIndex(p.ARN, "/")+1:]
		verdicts[p.Verdict]++
		for _, u := range p.Undecided {
			open[u.Reason]++
			switch u.Reason {
			case string(reach.OverBudget), audit.ReasonInternal, audit.ReasonCanceled:
				t.Errorf("%s: %s %s (%s)", name, u.Reason, u.What, u.Rule)
			}
		}
		for _, f := range p.Findings {
			if f.Severity == audit.Error && f.Rule != audit.RuleCannotWrite && (f.Witness == nil || f.Witness.Action == "") {
				t.Errorf("%s: %s without a witness", name, f.Rule)
			}
		}
		want, known := map[string][]audit.RuleID{
			"AmazonS3FullAccess":     {audit.RuleReadObject, audit.RuleDeleteObject, audit.RuleList, audit.RuleWriteElsewhere, audit.RuleChangePermissions, audit.RuleDestroyByConfig},
			"AmazonS3ReadOnlyAccess": {audit.RuleReadObject, audit.RuleList},
			"AdministratorAccess":    {audit.RuleReadObject, audit.RuleDeleteObject, audit.RuleList, audit.RuleWriteElsewhere, audit.RuleEscalate, audit.RuleOtherService},
		}[name]
		if !known {
			continue
		}
		judged++
		if p.Verdict != audit.Violation {
			t.Errorf("%s: %s", name, p.Verdict)
		}
		for _, rule := range want {
			if !slices.ContainsFunc(p.Findings, func(f audit.Finding) bool { return f.Rule == rule }) {
				t.Errorf("%s: no finding of %s", name, rule)
			}
		}
	}
	if len(report.Principals) < 1000 && !testing.Short() {
		t.Errorf("only %d managed policies", len(report.Principals))
	}
	if judged != len(sane) {
		t.Errorf("only %d of %v are there", judged, sane)
	}
	fmt.Printf("%d managed policies read and judged in %v (%v of the processors): %v; open questions: %v\n",
		len(report.Principals), took.Round(time.Millisecond), used.Round(time.Millisecond), verdicts, open)
}

func BenchmarkEveryManagedPolicy(b *testing.B) {
	export := usersOfManagedPolicies(b)
	measured(b, func() { audit.Judge(b.Context(), load(b, export), audit.Options{Now: now}) })
}

// measured runs a benchmark, and reports the time of the processors beside that
// of the clock.
func measured(b *testing.B, run func()) {
	used := cpuTime(b)
	for b.Loop() {
		run()
	}
	b.ReportMetric((cpuTime(b)-used).Seconds()*1e3/float64(b.N), "cpu-ms/op")
}

// statements are ten of a typical uploader that somebody meant well with.
func statements(name string) []object {
	own := "arn:aws:s3:::acme-uploads/uploads/" + name + "/*"
	return []object{
		{"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": own},
		{"Sid": "Abort", "Effect": "Allow", "Action": "s3:AbortMultipartUpload", "Resource": own},
		{"Sid": "Office", "Effect": "Allow", "Action": "s3:PutObject", "Resource": own, "Condition": object{"IpAddress": object{"aws:SourceIp": "10.0.0.0/8"}}},
		{"Sid": "Late", "Effect": "Allow", "Action": "s3:GetObject", "Resource": own, "Condition": object{"DateLessThan": object{"aws:CurrentTime": "2020-01-01T00:00:00Z"}}},
		{"Sid": "Other", "Effect": "Allow", "Action": []string{"s3:List*", "s3:Get*"}, "Resource": "*", "Condition": object{"StringEquals": object{"aws:username": "nobody"}}},
		{"Sid": "Tls", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": object{"Bool": object{"aws:SecureTransport": "false"}}},
		{"Sid": "Delete", "Effect": "Deny", "Action": []string{"s3:Delete*", "s3:PutLifecycleConfiguration"}, "Resource": "*"},
		{"Sid": "Outside", "Effect": "Deny", "Action": "s3:Put*", "NotResource": own},
		{"Sid": "Iam", "Effect": "Deny", "Action": []string{"iam:*", "sts:*", "kms:*"}, "Resource": "*"},
		{"Sid": "Rest", "Effect": "Deny", "NotAction": "s3:*", "Resource": "*"},
	}
}

// uploaders exports an account of typical uploaders.
func uploaders(t testing.TB, n int) []byte {
	var users []object
	for i := range n {
		name := fmt.Sprintf("vm-%04d", i)
		users = append(users, user(i, name, object{"UserPolicyList": []object{
			{"PolicyName": "upload", "PolicyDocument": object{"Version": "2012-10-17", "Statement": statements(name)}},
		}}))
	}
	return exported(t, users, nil)
}

func TestTypicalUploadersAreWriteOnly(t *testing.T) {
	report := audit.Judge(t.Context(), load(t, uploaders(t, 20)), audit.Options{Now: now})
	for _, p := range report.Principals {
		if p.Verdict != audit.WriteOnly {
			t.Errorf("%s: %s, %+v, %+v", p.ARN, p.Verdict, p.Findings, p.Undecided)
		}
	}
	if len(report.Principals) != 20 {
		t.Errorf("%d principals", len(report.Principals))
	}
}

// BenchmarkOneUploader judges one uploader, as a process does that is started for
// it: nothing is kept from one to the next but the unpacked catalogue.
func BenchmarkOneUploader(b *testing.B) {
	deployed, err := sources.Load(b.Context(), sources.Selection{
		Path: "/", Templates: []string{"../../../testdata/stack/users.template.json"},
	}, sources.Access{ReadFile: os.ReadFile})
	if err != nil {
		b.Fatal(err)
	}
	deployed.Subjects = deployed.Subjects[:1]
	for name, found := range map[string]*sources.Found{"deployed": deployed, "ten statements": load(b, uploaders(b, 1))} {
		b.Run(name, func(b *testing.B) {
			report := audit.Judge(b.Context(), found, audit.Options{Now: now})
			if report.Verdict != audit.WriteOnly {
				b.Fatalf("%s: %+v", report.Verdict, report.Principals[0])
			}
			measured(b, func() { audit.Judge(b.Context(), found, audit.Options{Now: now}) })
		})
	}
}

func BenchmarkAnAccountOfAThousandUsers(b *testing.B) {
	export := uploaders(b, 1000)
	measured(b, func() { audit.Judge(b.Context(), load(b, export), audit.Options{Now: now}) })
}
