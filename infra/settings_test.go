package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buzon/infra/mailbox"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultsAreTheSafeOnes(t *testing.T) {
	got, err := ParseSettings(object{"uploaders": "vm-01"})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	classes := []string{"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"}
	want := Settings{
		StackName: "Buzon", Uploaders: []string{"vm-01"}, Protect: true,
		Props: mailbox.Props{
			UploadPrefix: "uploads/", Path: "/buzon/",
			Identity: mailbox.IdentityUser, Attach: mailbox.AttachUser, Encryption: mailbox.EncryptionS3, ObjectLock: mailbox.LockNone,
			Versioning: &yes, AppendOnly: &yes, Retain: &yes, AbortDays: 7, StorageClasses: classes,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// cdk.json holds real types, -c only texts; both mean the same.
func TestTypedAndTextMeanTheSame(t *testing.T) {
	text := object{
		"uploaders": "vm-01, vm-02", "versioning": "true", "objectLock": "governance", "objectLockDays": "30",
		"readers": reader, "tags": "team=data", "cloudTrail": "false",
	}
	var typed object
	if err := json.Unmarshal([]byte(`{"uploaders":["vm-01","vm-02"],"versioning":true,"objectLock":"governance","objectLockDays":30,
		"readers":["`+reader+`"],"tags":{"team":"data"},"cloudTrail":false}`), &typed); err != nil {
		t.Fatal(err)
	}
	a, err := ParseSettings(text)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseSettings(typed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

func TestTheCDKsOwnContextIsLeftAlone(t *testing.T) {
	_, err := ParseSettings(object{
		"uploaders": "vm-01", "@aws-cdk/core:x": true, "aws:cdk:enable-path-metadata": true, "cli-telemetry": false,
		"availability-zones:account=111122223333:region=eu-west-1": []any{"eu-west-1a"},
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEachBadSettingIsOneClearError(t *testing.T) {
	long := strings.Repeat("a", 65)
	tests := []struct {
		set  object
		key  string // that the error names
		says string
	}{
		{object{"bukketName": "x"}, "bukketName", `"bucketName" was meant?`},
		{object{"uploader": "vm-01"}, "uploader", `"uploaders" was meant?`},
		{object{"colour": "red"}, "colour", "there is no such setting: docs/en/deploying.md"},
		{object{"kms-key-arn": ownKey}, "kms-key-arn", `"kmsKeyArn" was meant?`},
		{object{"": "x"}, "", "there is no such setting"},

		{object{"stackName": "9lives"}, "stackName", "a letter first"},
		{object{"stackName": 7.0}, "stackName", "must be a text, not 7"},
		{object{"stackName": strings.Repeat("s", 101)}, "stackName", "1 to 100"},
		{object{"stackName": "Buzón"}, "stackName", "1 to 100"},
		{object{"bucketName": ""}, "bucketName", "is empty"},
		{object{"bucketName": "s3://acme-uploads"}, "bucketName", "a-z, 0-9"},
		{object{"bucketName": "arn:aws:s3:::acme-uploads"}, "bucketName", "a-z, 0-9"},
		{object{"bucketName": " acme-uploads"}, "bucketName", "a-z, 0-9"},
		{object{"bucketName": "Acme"}, "bucketName", "a-z, 0-9"},
		{object{"bucketName": "a"}, "bucketName", "3 to 63"},
		{object{"bucketName": strings.Repeat("b", 64)}, "bucketName", "3 to 63"},
		{object{"bucketName": "acme.uploads"}, "bucketName", "holds a dot"},
		{object{"bucketName": "acme-uploads--x-s3"}, "bucketName", "keeps for itself"},
		{object{"bucketName": "acme-an"}, "bucketName", "keeps for itself"},
		{object{"bucketName": "xn--acme"}, "bucketName", "keeps for itself"},
		{object{"bucketName": []any{"acme"}}, "bucketName", "must be a text"},
		{object{"bucketNamespace": "mine"}, "bucketNamespace", "one of global, account-regional"},
		{object{"bucketNamespace": "account-regional"}, "bucketNamespace", "needs bucketName"},
		{object{"bucketNamespace": "account-regional", "bucketName": strings.Repeat("b", 37)}, "bucketName", "2 to 36"},

		{object{"uploadPrefix": ""}, "uploadPrefix", "is empty"},
		{object{"uploadPrefix": "uploads"}, "uploadPrefix", `end with "/"`},
		{object{"uploadPrefix": "/uploads/"}, "uploadPrefix", "segments"},
		{object{"uploadPrefix": "up*/"}, "uploadPrefix", "segments"},
		{object{"uploadPrefix": "${aws:username}/"}, "uploadPrefix", "segments"},
		{object{"uploadPrefix": "a/../b/"}, "uploadPrefix", `".."`},
		{object{"path": "/"}, "path", "every user of the account"},
		{object{"path": "buzon"}, "path", "slash at both ends"},
		{object{"path": "/bu*/"}, "path", "slash at both ends"},
		{object{"path": "/buzon-audit/"}, "path", "/buzon-audit/"},
		{object{"path": "/buzon-readers/"}, "path", "uploaders"},
		{object{"path": "/aws-service-role/x/"}, "path", "keeps for itself"},
		{object{"path": "/aws-reserved/"}, "path", "keeps for itself"},
		{object{"path": "/bu\nzon/"}, "path", `\n`},
		{object{"uploadPrefix": "subidas-ñ/"}, "uploadPrefix", "ASCII"},
		{object{"uploadPrefix": "uploads//"}, "uploadPrefix", "segments"},
		{object{"path": "/" + strings.Repeat("a", 512) + "/"}, "path", "longer than 512"},

		{object{"identity": "roles-anywhere", "trustAnchor": anchor, "uploaders": "vm.01@site"}, "uploaders", "the name of a profile"},
		{object{"uploaders": true}, "uploaders", "must be a list"},
		{object{"uploaders": []any{"vm-01", 2.0}}, "uploaders", "entry 2 must be a text"},
		{object{"uploaders": nil}, "uploaders", "not null"},
		{object{"uploaders": object{"vm-01": true}}, "uploaders", "must be a list"},
		{object{"uploaders": []any{"vm-01,vm-02"}}, "uploaders", `"vm-01,vm-02" must be`},
		{object{"uploaders": []any{"vm-01", ""}}, "uploaders", `"" must be`},
		{object{"uploaders": []any{"vm-01 "}}, "uploaders", `"vm-01 " must be`},
		{object{"uploaders": "vm-01;vm-02"}, "uploaders", "letters, digits"},
		{object{"uploaders": "vm/01"}, "uploaders", "letters, digits"},
		{object{"uploaders": "vm*"}, "uploaders", "letters, digits"},
		{object{"uploaders": "café"}, "uploaders", "letters, digits"},
		{object{"uploaders": ".."}, "uploaders", "part of a key"},
		{object{"uploaders": long}, "uploaders", "longer than 64"},
		{object{"uploaders": "vm-01,vm-01"}, "uploaders", "is there twice"},
		{object{"uploaders": "vm-01,VM-01"}, "uploaders", "differ only in case"},
		{object{"uploaders": fleet(441)}, "shards", "cdk deploy --all"},
		{object{"identity": "role", "uploaders": fleet(221)}, "shards", "cdk deploy --all"},
		{object{"uploaders": fleet(1200), "shards": 2, "bucketName": "acme-uploads"}, "shards", "more shards"},
		{object{"shards": -1.0}, "shards", "from 0 to 64"},
		{object{"shards": 2.5}, "shards", "whole number"},
		{object{"shards": 2}, "bucketName", "needed with shards"},
		{object{"shards": 2, "bucketName": "acme-uploads", "encryption": "kms"}, "kmsKeyArn", "needed with shards"},
		{object{"kmsKeyArn": ownKey}, "kmsKeyArn", "goes with encryption"},
		{object{"kmsKeyArn": strings.ToUpper(ownKey), "encryption": "kms"}, "kmsKeyArn", "must be the ARN of a key"},
		{object{"kmsKeyArn": "11111111-2222-3333-4444-555555555555", "encryption": "kms"}, "kmsKeyArn", "must be the ARN of a key"},
		{object{"kmsKeyArn": strings.Replace(ownKey, "aws", "aws-cn", 1), "encryption": "kms", "readers": reader}, "readers", "of the partition aws, and kmsKeyArn of aws-cn"},
		{object{"readers": reader + "," + strings.Replace(reader, "aws", "aws-us-gov", 1)}, "readers", "nothing reaches from one to the other"},
		{object{"kmsKeyArn": ownKey, "encryption": "kms", "cloudTrail": true, "alarms": "topic=arn:aws:sns:eu-west-3:111122223333:on-call"}, "alarms", "in the Region eu-west-3, and kmsKeyArn in eu-west-1"},
		{object{"encryption": "KMS"}, "encryption", "one of s3, kms"},
		{object{"kmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:alias/ours", "encryption": "kms"}, "kmsKeyArn", "not of an alias"},
		{object{"transitions": "STANDARD_IA"}, "transitions", "30=STANDARD_IA after -c"},
		{object{"transitions": []any{}}, "transitions", "must be a list such as"},
		{object{"transitions": []any{object{"days": 30.0}}}, "transitions", "must be a list such as"},
		{object{"transitions": "30=COLD"}, "transitions", "one of STANDARD_IA"},
		{object{"transitions": "7=STANDARD_IA"}, "transitions", "after 30 to 36500 days"},
		{object{"transitions": "30=GLACIER,90=STANDARD_IA"}, "transitions", "colder classes"},
		{object{"transitions": "30=STANDARD_IA,45=GLACIER"}, "transitions", "less than 30 days"},
		{object{"transitions": "90=GLACIER_IR", "expireDays": 90}, "transitions", "when objects expire"},
		{object{"alarms": true, "cloudTrail": true}, "alarms", "must be an object"},
		{object{"alarms": object{"to": "me"}, "cloudTrail": true}, "alarms", "must be an object"},
		{object{"alarms": "me@example.org", "cloudTrail": true}, "alarms", "must be an object"},
		{object{"alarms": object{"topic": "me@example.org"}, "cloudTrail": true}, "alarms", "ARN of an SNS topic"},
		{object{"alarms": object{"silentAfter": 200}, "cloudTrail": true}, "alarms", "from 0 to 168"},
		{object{"alarms": object{}}, "alarms", "need cloudTrail"},
		{object{"alarms": false, "cloudTrail": true}, "alarms", "must be an object"},
		{object{"alarms": object{"silentAfter": "24h"}, "cloudTrail": true}, "alarms", `not "24h"`},
		{object{"alarms": object{"topic": "arn:aws:sns:eu-west-1:111122223333:on-call.fifo"}, "cloudTrail": true}, "alarms", "ARN of an SNS topic"},
		{object{"alarms": object{}, "cloudTrail": true, "sourceIps": "2.0.0.0/7"}, "sourceIps", "too large a block for the alarm"},
		{object{"alarms": object{}, "cloudTrail": true, "sourceIps": blocks(30)}, "alarms", "sourceIps and sourceVpces fewer entries"},
		{object{"alarms": object{}, "cloudTrail": true, "path": "/" + strings.Repeat("a", 500) + "/"}, "alarms", "fewer letters"},
		{object{"trailDays": 400}, "trailDays", "only with cloudTrail"},
		{object{"trailDays": 0.0, "cloudTrail": true}, "trailDays", "from 1"},

		{object{"identity": "machine"}, "identity", "one of user, role, roles-anywhere"},
		{object{"identity": "roles-anywhere"}, "trustAnchor", "is needed"},
		{object{"identity": "roles-anywhere", "trustAnchor": "anchor"}, "trustAnchor", "ARN"},
		{object{"trustAnchor": anchor}, "trustAnchor", "only with identity"},
		{object{"permissionsBoundary": "org", "permissionsBoundaryFile": "org.json"}, "permissionsBoundary", "ARN of a managed policy"},
		{object{"permissionsBoundary": orgBoundary}, "permissionsBoundaryFile", "must read its document"},
		{object{"permissionsBoundaryFile": ""}, "permissionsBoundaryFile", "is empty"},
		{object{"@aws-cdk/core:permissionsBoundary": object{"name": "org"}}, "@aws-cdk/core:permissionsBoundary", "use permissionsBoundary"},
		{object{"attach": "role"}, "attach", "one of user, group"},
		{object{"identity": "role", "attach": "group"}, "attach", `needs identity "user"`},
		{object{"encryption": "aes"}, "encryption", "one of s3, kms"},
		{object{"versioning": "yes"}, "versioning", `true or false, not "yes"`},
		{object{"appendOnly": 1.0}, "appendOnly", "true or false"},
		{object{"objectLock": "legal"}, "objectLock", "one of none, governance, compliance"},
		{object{"objectLock": "governance"}, "objectLockDays", "these need it"},
		{object{"objectLockDays": 5}, "objectLockDays", "goes with objectLock"},
		{object{"objectLock": "governance", "objectLockDays": 0}, "objectLockDays", "from 1 to 36500"},
		{object{"objectLock": "governance", "objectLockDays": 1, "versioning": false}, "versioning", "must be true"},
		{object{"objectLock": "governance", "objectLockDays": 30, "expireDays": 7}, "expireDays", "shorter than objectLockDays"},
		{object{"objectLock": "compliance", "objectLockDays": 30, "removalPolicy": "destroy"}, "removalPolicy", "can't work"},
		{object{"expireDays": 1e300}, "expireDays", "not 1e+300"},
		{object{"expireDays": "0x1f"}, "expireDays", `not "0x1f"`},
		{object{"expireDays": " 30"}, "expireDays", `not " 30"`},
		{object{"expireDays": "٣٠"}, "expireDays", "whole number"},
		{object{"objectLock": "governance", "objectLockDays": "30d"}, "objectLockDays", `not "30d"`},
		{object{"expireDays": "soon"}, "expireDays", "whole number"},
		{object{"noncurrentDays": 30, "versioning": false}, "noncurrentDays", "without versioning"},
		{object{"cloudTrail": "on"}, "cloudTrail", "true or false"},
		{object{"eventBridge": nil}, "eventBridge", "true or false, not null"},
		{object{"abortDays": 0.0}, "abortDays", "from 1 to 36500"},
		{object{"storageClasses": ""}, "storageClasses", "is empty"},
		{object{"storageClasses": "STANDARD,COLD"}, "storageClasses", `"COLD" must be one of STANDARD`},
		{object{"storageClasses": "GLACIER"}, "storageClasses", "must hold STANDARD"},
		{object{"sourceIps": ""}, "sourceIps", "is empty"},
		{object{"sourceIps": "203.0.113.7,203.0.113.7"}, "sourceIps", "is there twice"},
		{object{"sourceIps": "203.0.113.0/33"}, "sourceIps", "must be an address"},
		{object{"sourceIps": "203.0.113.007"}, "sourceIps", "must be an address"},
		{object{"sourceIps": "203.0.113.0-203.0.113.255"}, "sourceIps", "must be an address"},
		{object{"sourceIps": "255.255.255.255"}, "sourceIps", "S3 never sees"},
		{object{"sourceIps": "office"}, "sourceIps", "must be an address"},
		{object{"sourceIps": "203.0.113.7/24"}, "sourceIps", "203.0.113.0/24 is meant?"},
		{object{"sourceIps": "0.0.0.0/0"}, "sourceIps", "every address"},
		{object{"sourceIps": "::/0"}, "sourceIps", "every address"},
		{object{"sourceIps": "10.0.0.0/8"}, "sourceIps", "S3 never sees"},
		{object{"sourceIps": "fd00::/8"}, "sourceIps", "S3 never sees"},
		{object{"sourceIps": "100.64.1.2"}, "sourceIps", "S3 never sees"},
		{object{"sourceIps": "::ffff:203.0.113.7"}, "sourceIps", "S3 never sees"},
		{object{"sourceIps": "fe80::1%eth0"}, "sourceIps", "must be an address"},
		{object{"sourceIps": blocks(80)}, "sourceIps", "larger blocks"},
		{object{"sourceVpces": []any{}}, "sourceVpces", "is empty"},
		{object{"sourceVpces": "vpc-01234567"}, "sourceVpces", "id of a VPC endpoint"},
		{object{"readers": ""}, "readers", "is empty"},
		{object{"readers": []any{}}, "readers", "is empty"},
		{object{"auditors": " , "}, "auditors", "is empty"},
		{object{"readers": reader + "," + reader}, "readers", "is there twice"},
		{object{"readers": "ARN:AWS:IAM::111122223333:ROLE/reader"}, "readers", "is not the ARN"},
		{object{"readers": "arn:aws:iam::1111-2222-3333:role/reader"}, "readers", "is not the ARN"},
		{object{"readers": "arn:aws:iam::111122223333:root"}, "readers", "is not the ARN"},
		{object{"readers": "*"}, "readers", "is not the ARN"},
		{object{"readers": "everybody"}, "readers", "is not the ARN"},
		{object{"readers": "arn:aws:sts::111122223333:assumed-role/reader/me"}, "readers", "of its session"},
		{object{"readers": "arn:aws:iam::111122223333:user/buzon/vm-01"}, "readers", "is an uploader"},
		{object{"readers": roles(400)}, "readers", "use patterns"},
		{object{"auditors": roles(40)}, "auditors", "a role that they all may assume"},
		{object{"readerRole": roles(40)}, "readerRole", "a role that they all may assume"},
		{object{"grantReaders": "yes"}, "grantReaders", "true or false"},
		{object{"grantReaders": true}, "grantReaders", "needs readers"},
		{object{"grantReaders": true, "readers": "arn:aws:iam::111122223333:role/analysis/*"}, "grantReaders", "can't give anything to the pattern"},
		{object{"readerRole": ""}, "readerRole", "is empty"},
		{object{"readerRole": "arn:aws:iam::111122223333:role/*"}, "readerRole", "is not the ARN"},
		{object{"deployers": "arn:aws:iam::111122223333:role/ci"}, "deployers", "only with readers"},
		{object{"readers": reader, "deployers": "ci"}, "deployers", "is not the ARN"},
		{object{"federatedUsers": true}, "federatedUsers", "must be a text"},
		{object{"federatedUsers": "yes"}, "federatedUsers", "one of deny, allow"},
		{object{"auditorScope": "everything"}, "auditorScope", "one of bucket, account"},
		{object{"guardRevision": "next"}, "guardRevision", "whole number"},
		{object{"auditors": "arn:aws:iam::111122223333:role/*"}, "auditors", "is not the ARN"},
		{object{"tags": "team"}, "tags", "NAME=VALUE"},
		{object{"tags": object{"team": 1.0}}, "tags", `"team" must be a text`},
		{object{"tags": "Key=bad<>value"}, "tags", "letters, digits"},
		{object{"tags": object{"a;b": "c"}}, "tags", "letters, digits"},
		{object{"tags": "aws:x=1"}, "tags", "for itself"},
		{object{"tags": object{"Team": "a", "team": "b"}}, "tags", "differ only in case"},
		{object{"tags": "a=b,a=c"}, "tags", "is there twice"},
		{object{"tags": "a=b,"}, "tags", "NAME=VALUE"},
		{object{"tags": object{"": "b"}}, "tags", "empty"},
		{object{"tags": object{"Buzon-Uploader": "vm-02"}}, "tags", "guard goes by"},
		{object{"tags": "buzon-uploader=vm-02"}, "tags", "guard goes by"},
		{object{"tags": "a=" + strings.Repeat("b", 257)}, "tags", "too long"},
		{object{"removalPolicy": "snapshot"}, "removalPolicy", "one of retain, destroy"},
		{object{"confirm": "everything"}, "confirm", "leaving:NAME"},
		{object{"confirm": "leaving:"}, "confirm", "leaving:NAME"},
		{object{"terminationProtection": "maybe"}, "terminationProtection", "true or false"},
	}
	tried := map[string]bool{}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %.40s", test.key, value{test.set}), func(t *testing.T) {
			context := object{"uploaders": "vm-01"}
			maps.Copy(context, asJSON(t, test.set))
			_, err := ParseSettings(context)
			if err == nil {
				t.Fatal("it passes")
			}
			said := err.Error()
			if strings.Contains(said, "\n") || strings.Count(said, "setting ") != 1 {
				t.Errorf("that is more than one error:\n%s", said)
			}
			if !strings.HasPrefix(said, fmt.Sprintf("setting %q: ", test.key)) || !strings.Contains(said, test.says) {
				t.Errorf("%s\nwant one about %q that says %q", said, test.key, test.says)
			}
		})
		tried[test.key] = true
	}
	for _, k := range keys {
		if !tried[k.name] {
			t.Errorf("no bad value of %q is tried", k.name)
		}
	}
}

func roles(n int) []any {
	var all []any
	for i := range n {
		all = append(all, fmt.Sprintf("arn:aws:iam::111122223333:role/r-%d", i))
	}
	return all
}

func blocks(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("203.0.%d.0/24", i))
	}
	return strings.Join(all, ",")
}

// Nobody may write where the list is empty; where there is none it was forgotten.
func TestNobodyMustBeSaid(t *testing.T) {
	for _, none := range []any{"", []any{}} {
		if s, err := ParseSettings(object{"uploaders": none}); err != nil || len(s.Uploaders) != 0 {
			t.Errorf("%v: %v, %v", none, s.Uploaders, err)
		}
	}
	if _, err := ParseSettings(object{}); err == nil || !strings.Contains(err.Error(), `setting "uploaders": is not set`) {
		t.Errorf("without the setting: %v", err)
	}
}

// Names, texts and addresses that are unusual and right.
func TestUnusualSettingsThatAreRight(t *testing.T) {
	for _, set := range []object{
		{"tags": object{"é": strings.Repeat("é", 256)}},
		{"readers": strings.Replace(reader, "aws", "aws-cn", 1), "encryption": "kms", "kmsKeyArn": "arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-11111111222233334444555555555555"},
		{"readers": "arn:aws*:iam::111122223333:role/x,arn:aws-us-gov:iam::111122223333:role/y"},
		{"expireDays": "007", "guardRevision": "+1"},
		{"uploaders": "vm-01,,vm-02 ,"},
		{"auditors": roles(15)},
		{"tags": object{"Équipe": "données 2026 / α_β.c:d=e+f-g@h"}},
		{"sourceIps": "203.0.113.7, 2001:db8::1, 2001:db8:1::/48"},
		{"identity": "role", "uploaders": "vm.01@site"},
		{"identity": "roles-anywhere", "trustAnchor": anchor, "uploaders": "vm_01-a"},
		{"storageClasses": []any{"DEEP_ARCHIVE", "STANDARD"}},
		{"bucketName": "acme-uploads"},
		{"sourceIps": blocks(15), "cloudTrail": true, "alarms": object{}},
		{"transitions": "0=INTELLIGENT_TIERING"},
		{"cloudTrail": true, "alarms": object{}},
		{"cloudTrail": true, "alarms": "silentAfter=24,topic=arn:aws:sns:eu-west-1:111122223333:on-call"},
		{"transitions": []any{object{"days": 30, "class": "STANDARD_IA"}, object{"days": 60, "class": "GLACIER_IR"}, object{"days": 365, "class": "DEEP_ARCHIVE"}}},
		{"encryption": "kms", "kmsKeyArn": ownKey, "shards": 2, "bucketName": "acme-uploads"},
	} {
		context := object{"uploaders": "vm-01"}
		maps.Copy(context, asJSON(t, set))
		if _, err := ParseSettings(context); err != nil {
			t.Errorf("%v: %v", set, err)
		}
	}
}

func TestAllFaultsAreTold(t *testing.T) {
	_, err := ParseSettings(object{"uploaders": "vm-01", "path": "x", "attach": "both", "colour": "red"})
	for _, key := range []string{"path", "attach", "colour"} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("setting %q", key)) {
			t.Errorf("%v\nwant it to name %q too", err, key)
		}
	}
}

// The documents list every setting, each once, and no others.
func TestTheDocumentsListTheSettings(t *testing.T) {
	var want []string
	for _, k := range keys {
		want = append(want, k.name)
	}
	slices.Sort(want)
	row := regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|")
	for _, file := range []string{"../docs/en/deploying.md", "../docs/es/deploying.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// Both languages tell the same controls, in the same order and to the same end.
func TestTheControlsAreToldAlike(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| ([A-Za-z0-9.,\- ]+) \| ([a-z]+)`)
	words := strings.NewReplacer("cumplido", "met", "exento", "waived", "ajeno", "not", " a ", " to ")
	told := func(lang string) []string {
		text, err := os.ReadFile("../docs/" + lang + "/controls.md")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			all = append(all, words.Replace(m[1]+" "+m[2]))
		}
		return all
	}
	en := told("en")
	if len(en) < 40 {
		t.Fatalf("only %d rows are read", len(en))
	}
	if diff := cmp.Diff(en, told("es")); diff != "" {
		t.Error(diff)
	}
}

// The shard of a name must never change: it would be deleted in one stack and
// made in another.
func TestTheShardOfANameIsForEver(t *testing.T) {
	s := Settings{Shards: 7, Uploaders: []string{"vm-01", "vm-02", "vm-0003", "db.example.com", "VM-01", "a", "Zz=+@_-"}}
	got := map[string]int{}
	for i, names := range s.split() {
		for _, name := range names {
			got[name] = i
		}
	}
	want := map[string]int{"VM-01": 4, "Zz=+@_-": 6, "a": 5, "db.example.com": 5, "vm-0003": 6, "vm-01": 4, "vm-02": 5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The names beside it have no say.
	for name, shard := range maps.All(got) {
		one := Settings{Shards: 7, Uploaders: []string{name}}
		if names := one.split()[shard]; len(names) != 1 {
			t.Errorf("%s alone is in another shard", name)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"uploader", "uploaders", 1}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
