package sources

import (
	"regexp"
	"strings"
	"testing"

	"buzon/agent/policy"
)

func TestEveryPolicyOfAWSCanBeRead(t *testing.T) {
	known := loadAWSManaged()
	if len(known.lines) < 1500 || !regexp.MustCompile(`^20\d\d-\d\d-\d\d$`).MatchString(AWSManagedDate()) {
		t.Fatalf("%d policies of %q", len(known.lines), AWSManagedDate())
	}
	unclear := 0 // AWS's own slips: an ARN of service "aws", a variable in the place of an account
	for path := range known.lines {
		src, ok := knownPolicy("arn:aws:iam::aws:policy" + path)
		if !ok || src.Version == "" || src.Document == nil {
			t.Errorf("%s can't be read", path)
			continue
		}
		for _, st := range src.Document.Statements {
			if st.Effect != policy.Allow {
				t.Errorf("%s: %+v", path, st)
			}
			if st.Unclear != nil {
				unclear++
			}
		}
	}
	if unclear > 2 {
		t.Errorf("%d statements are not understood", unclear)
	}
}

// AWS's policies add rights, are known in one partition, and never bound.
func TestAPolicyOfAWSIsKnownOffline(t *testing.T) {
	export := func(attached, boundary, policies string) string {
		return inBraces(`"RoleDetailList": [{"RoleName": "r", "Arn": "arn:aws:iam::111122223333:role/r", "RolePolicyList": [], "AttachedManagedPolicies": [],
		 "AssumeRolePolicyDocument": ` + trustsEC2 + `}], "GroupDetailList": [], "Policies": [` + policies + `],
		 "UserDetailList": [{"UserName": "u", "Arn": "arn:aws:iam::111122223333:user/buzon/u", "GroupList": [], "UserPolicyList": [],
		 "AttachedManagedPolicies": [{"PolicyArn": "` + attached + `"}]` + boundary + `}]`)
	}
	const full = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
	fence := func(arn string) string { return `, "PermissionsBoundary": {"PermissionsBoundaryArn": "` + arn + `"}` }
	for _, row := range []struct {
		name, text, documents, gaps string
		assumed                     bool
	}{
		{"attached", export(full, "", ""), "user-managed AmazonS3FullAccess, trust r", "", true},
		{"in a folder of its own", export("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", "", ""), "user-managed AWSLambdaBasicExecutionRole, trust r", "", true},
		{"in the wrong folder", export("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole", "", ""), "trust r", "policy-unknown arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole", false},
		{"of another partition", export("arn:aws-cn:iam::aws:policy/AmazonS3FullAccess", "", ""), "trust r", "policy-unknown arn:aws-cn:iam::aws:policy/AmazonS3FullAccess", false},
		{"of tomorrow", export("arn:aws:iam::aws:policy/OfTomorrow", "", ""), "trust r", "policy-unknown arn:aws:iam::aws:policy/OfTomorrow", false},
		{"as a boundary", export(full, fence("arn:aws:iam::aws:policy/PowerUserAccess"), ""), "user-managed AmazonS3FullAccess, trust r", "policy-unknown arn:aws:iam::aws:policy/PowerUserAccess", true},
		{"in the export itself", export(full, "", `{"PolicyName": "AmazonS3FullAccess", "Arn": "`+full+`", "DefaultVersionId": "v3",
		 "PolicyVersionList": [{"VersionId": "v3", "IsDefaultVersion": true, "Document": `+writes+`}]}`), "user-managed AmazonS3FullAccess, trust r", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"x": row.text}.one(t, target(Selection{Exports: []string{"x"}}))
			if documents(s) != row.documents || gaps(s) != row.gaps || strings.Contains(topics(s), string(TopicAWSManaged)) != row.assumed {
				t.Errorf("%s | %s | %s", documents(s), gaps(s), topics(s))
			}
			for _, src := range s.Set.Sources {
				if own := src.Kind == policy.UserManaged && row.assumed; (src.AsOf == AWSManagedDate()) != own {
					t.Errorf("%s is as of %q", src.Name, src.AsOf)
				}
			}
		})
	}
	if src, ok := knownPolicy("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"); !ok || len(src.Document.Statements) != 0 {
		t.Errorf("a policy that only denies: %v, %d statements", ok, len(src.Document.Statements))
	}
}
