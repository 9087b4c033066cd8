package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// asInfra makes the test binary be the program: a fleet is synthesized in a
// process of its own, whose memory can be measured.
const asInfra = "BUZON_TEST_AS_INFRA"

func TestMain(m *testing.M) {
	if os.Getenv(asInfra) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "buzon-infra-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// scratch holds the assemblies until the end: the CDK reads them late.
var scratch string

type object = map[string]any

const (
	anchor      = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/8f2b2a9c-1111-2222-3333-444455556666"
	reader      = "arn:aws:iam::111122223333:role/analysis/reader"
	orgBoundary = "arn:aws:iam::111122223333:policy/organisation/boundary"
	ownKey      = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
	review      = "arn:aws:iam::111122223333:role/review"
)

// variants are settings that between them use every branch of the stack.
var variants = map[string]object{
	"default": {},
	"two":     {"uploaders": []any{"vm-01", "vm-02"}},
	"group":   {"attach": "group", "encryption": "kms", "bucketName": "acme-uploads", "auditors": []any{review}},
	"group two": {"attach": "group", "encryption": "kms", "bucketName": "acme-uploads", "auditors": []any{review},
		"uploaders": []any{"vm-01", "vm-02"}},
	"role":               {"identity": "role"},
	"role two":           {"identity": "role", "uploaders": []any{"vm-01", "vm-02"}},
	"roles-anywhere":     {"identity": "roles-anywhere", "trustAnchor": anchor},
	"roles-anywhere two": {"identity": "roles-anywhere", "trustAnchor": anchor, "uploaders": []any{"vm-01", "vm-02"}},
	"all": {
		"stackName": "Drop", "bucketName": "acme", "bucketNamespace": "account-regional", "uploadPrefix": "in/box/", "path": "/drop/",
		"encryption": "kms", "objectLock": "governance", "objectLockDays": "30", "expireDays": "90", "noncurrentDays": "45", "transitions": "30=STANDARD_IA,60=GLACIER_IR", "trailDays": "400", "alarms": "silentAfter=24",
		"cloudTrail": "true", "eventBridge": "true", "readers": reader, "auditors": review, "auditorScope": "account", "tags": "team=data,cost=42",
		"sourceIps": "203.0.113.0/24,2001:db8::/32", "sourceVpces": "vpce-0123456789abcdef0",
	},
	"bare": {
		"versioning": false, "appendOnly": "false", "removalPolicy": "destroy", "terminationProtection": false, "federatedUsers": "allow",
		"cloudTrail": true, "abortDays": 3, "storageClasses": []any{"STANDARD", "DEEP_ARCHIVE"},
	},
	"again":   {"guardRevision": 2},
	"nobody":  {"uploaders": []any{}},
	"nowhere": {"bucketName": "acme-uploads", "shards": 2, "uploaders": []any{}},
	"kms":     {"encryption": "kms"},
	"readers": {
		"encryption": "kms", "readers": reader + ",arn:aws:iam::999988887777:role/partner", "grantReaders": true, "readerRole": review,
		"deployers": "arn:aws:iam::111122223333:role/ci-*",
	},
	"alarms":       {"cloudTrail": true, "alarms": object{"topic": "arn:aws:sns:eu-west-1:111122223333:on-call"}, "path": "/drop/"},
	"organisation": {"permissionsBoundary": orgBoundary, "permissionsBoundaryFile": "organisation.json", "uploaders": []any{"vm-01", "vm-02"}},
	"organisation group": {
		"permissionsBoundary": orgBoundary, "permissionsBoundaryFile": "organisation.json", "attach": "group", "encryption": "kms",
	},
	"own key":    {"encryption": "kms", "kmsKeyArn": ownKey, "shards": 1, "bucketName": "acme-uploads"},
	"sources":    {"sourceIps": "203.0.113.7", "storageClasses": "STANDARD"},
	"compliance": {"objectLock": "compliance", "objectLockDays": 365, "noncurrentDays": 400},
	"fleet":      {"bucketName": "acme-uploads", "shards": 2, "uploaders": fleet(60)},
	"fleet more": {"bucketName": "acme-uploads", "shards": 2, "uploaders": append(fleet(60), "vm-new")},
}

func fleet(n int) []any {
	var names []any
	for i := range n {
		names = append(names, fmt.Sprintf("vm-%04d", i))
	}
	return names
}

// synthesis is what a variant was made into.
type synthesis struct {
	settings  Settings
	stacks    []awscdk.Stack
	templates []assertions.Template // of the stacks
	documents []object              // the templates as they are written
}

// made keeps the syntheses: each costs some tenths of a second, the first seconds.
var made = map[string]*synthesis{}

// synth gives the synthesis of a variant, with cdk-nag's checks on it.
func synth(t *testing.T, variant string) *synthesis {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: synthesis takes seconds")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("SKIPPED: Node.js, in which the CDK runs, is missing")
	}
	if s := made[variant]; s != nil {
		return s
	}
	extra, ok := variants[variant]
	if !ok {
		t.Fatalf("there is no variant %q", variant)
	}
	made[variant] = synthesize(t, extra, filepath.Join(scratch, strings.ReplaceAll(variant, " ", "-")))
	return made[variant]
}

// synthesize makes the stacks of those settings, in a folder.
func synthesize(t *testing.T, extra object, dir string) *synthesis {
	t.Helper()
	context := ourContext(t)
	maps.Copy(context, asJSON(t, extra))
	s := &synthesis{}
	var err error
	if s.settings, err = ParseSettings(context); err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Context: &context, Outdir: &dir})
	s.stacks = NewStacks(app, s.settings)
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{
		Reports: jsii.Bool(false), LogIgnores: jsii.Bool(true), Verbose: jsii.Bool(true),
	}), nil)
	for _, stack := range s.stacks {
		template := assertions.Template_FromStack(stack, nil)
		s.templates = append(s.templates, template)
		s.documents = append(s.documents, *template.ToJSON())
	}
	return s
}

// ourContext is the context of cdk.json.
func ourContext(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Context object }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Context
}

// asJSON is a context as it comes from a file.
func asJSON(t *testing.T, context object) object {
	t.Helper()
	text, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	var read object
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// expect runs an assertion of the CDK's, which panics where it fails.
func expect(t *testing.T, assert func()) {
	t.Helper()
	defer func() {
		if said := recover(); said != nil {
			t.Errorf("%v", said)
		}
	}()
	assert()
}

// resources gives the resources of a type by their ids.
func resources(template object, kind string) map[string]object {
	found := map[string]object{}
	for id, r := range template["Resources"].(object) {
		if r := r.(object); r["Type"] == kind {
			found[id] = r
		}
	}
	return found
}

// only gives the one resource of a type.
func only(t *testing.T, template object, kind string) object {
	t.Helper()
	found := resources(template, kind)
	if len(found) != 1 {
		t.Fatalf("there are %d resources of type %s, want 1", len(found), kind)
	}
	for _, r := range found {
		return r
	}
	return nil
}

// statements gives the policy statements anywhere in a part of a template.
func statements(part any) []object {
	var all []object
	switch part := part.(type) {
	case object:
		if list, ok := part["Statement"].([]any); ok {
			for _, s := range list {
				all = append(all, s.(object))
			}
			return all
		}
		for _, inner := range part {
			all = append(all, statements(inner)...)
		}
	case []any:
		for _, inner := range part {
			all = append(all, statements(inner)...)
		}
	}
	return all
}

// texts gives a text, or a list of texts, as a list, with joins put together and
// references as ${NAME}.
func texts(part any) []string {
	list, ok := part.([]any)
	if !ok {
		list = []any{part}
	}
	var all []string
	for _, one := range list {
		all = append(all, plain(one))
	}
	return all
}

func plain(part any) string {
	m, ok := part.(object)
	if !ok {
		return fmt.Sprint(part)
	}
	if ref, ok := m["Ref"]; ok {
		return fmt.Sprintf("${%v}", ref)
	}
	if get, ok := m["Fn::GetAtt"].([]any); ok {
		return fmt.Sprintf("${%v.%v}", get[0], get[1])
	}
	if join, ok := m["Fn::Join"].([]any); ok {
		var parts []string
		for _, p := range join[1].([]any) {
			parts = append(parts, plain(p))
		}
		return strings.Join(parts, fmt.Sprint(join[0]))
	}
	return fmt.Sprint(part)
}

// changed gives the ids of the resources that are in only one of two templates,
// or differ.
func changed(before, after object) []string {
	var ids []string
	a, b := before["Resources"].(object), after["Resources"].(object)
	for id := range b {
		if !reflect.DeepEqual(a[id], b[id]) {
			ids = append(ids, id)
		}
	}
	for id := range a {
		if _, ok := b[id]; !ok {
			ids = append(ids, id)
		}
	}
	return ids
}
