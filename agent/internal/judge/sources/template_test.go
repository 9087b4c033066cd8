package sources

import (
	"fmt"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// around makes a template of one user whose policy allows the resource that
// the expression gives.
func around(resource string) string {
	return `{
 "Parameters": {"Stage": {"Type": "String"}, "Names": {"Type": "CommaDelimitedList"}},
 "Mappings": {"By": {"eu-west-1": {"bucket": "mapped"}, "all": {"list": "x,y"}}},
 "Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]},
  "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]}, "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]}},
 "Resources": {
  "Box": {"Type": "AWS::S3::Bucket"},
  "Named": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "acme-uploads"}},
  "Group": {"Type": "AWS::IAM::Group", "Properties": {"Path": "/g/"}},
  "Door": {"Type": "AWS::S3::AccessPoint", "Properties": {"Name": "door", "Bucket": {"Ref": "Box"}}},
  "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}}}},
  "Other": {"Type": "AWS::SQS::Queue"},
  "Vm": {"Type": "AWS::IAM::User", "Properties": {"UserName": "vm-01", "Path": "/buzon/", "Policies": [
   {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": ` + resource + `}]}}]}}
 },
 "Outputs": {"BucketName": {"Value": "out"}, "PrefixPattern": {"Value": "uploads/{name}/"}}
}`
}

func TestEachIntrinsicIsResolvedOrWidened(t *testing.T) {
	for _, row := range []struct{ name, expression, want string }{
		{"a plain text", `"arn:aws:s3:::b/*"`, "arn:aws:s3:::b/*"},
		{"Ref of a bucket", `{"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Box"}, "/*"]]}`, "arn:aws:s3:::${Box}/*"},
		{"Ref of a bucket with a name", `{"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Named"}, "/*"]]}`, "arn:aws:s3:::acme-uploads/*"},
		{"GetAtt", `{"Fn::Join": ["/", [{"Fn::GetAtt": ["Named", "Arn"]}, "p", "*"]]}`, "arn:aws:s3:::acme-uploads/p/*"},
		{"GetAtt in one text", `{"Fn::GetAtt": "Group.Arn"}`, "arn:aws:iam::${AWS::AccountId}:group/g/${Group}"},
		{"GetAtt of an access point", `{"Fn::GetAtt": ["Door", "Arn"]}`, "arn:aws:s3:${AWS::Region}:${AWS::AccountId}:accesspoint/door"},
		{"GetAtt of a key", `{"Fn::GetAtt": ["Key", "Arn"]}`, "arn:aws:kms:${AWS::Region}:${AWS::AccountId}:key/${Key}"},
		{"GetAtt of what isn't known", `{"Fn::GetAtt": ["Other", "Arn"]}`, "*"},
		{"Sub", `{"Fn::Sub": "${Named.Arn}/${AWS::StackName}/${Group}/*"}`, "arn:aws:s3:::acme-uploads/${AWS::StackName}/${Group}/*"},
		{"Sub with values of its own", `{"Fn::Sub": ["arn:aws:s3:::${b}/${ c }*", {"b": {"Ref": "Named"}, "c": "p/"}]}`, "arn:aws:s3:::acme-uploads/p/*"},
		{"Sub that leaves a policy variable", `{"Fn::Sub": "arn:aws:s3:::b/${!aws:username}/*"}`, "arn:aws:s3:::b/${aws:username}/*"},
		{"pseudo parameters", `{"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/${AWS::Region}/${AWS::URLSuffix}"}`, "arn:aws:iam::${AWS::AccountId}:user/${AWS::Region}/amazonaws.com"},
		{"If that is true", `{"Fn::If": ["Yes", "arn:aws:s3:::yes", "arn:aws:s3:::no"]}`, "arn:aws:s3:::yes"},
		{"If over And", `{"Fn::If": ["Both", "arn:aws:s3:::yes", "arn:aws:s3:::no"]}`, "arn:aws:s3:::no"},
		{"If over Or", `{"Fn::If": ["Either", "arn:aws:s3:::yes", "arn:aws:s3:::no"]}`, "arn:aws:s3:::yes"},
		{"NoValue in a list", `["arn:aws:s3:::b", {"Fn::If": ["No", "arn:aws:s3:::no", {"Ref": "AWS::NoValue"}]}]`, "arn:aws:s3:::b"},
		{"Select", `{"Fn::Select": ["1", ["arn:aws:s3:::a", "arn:aws:s3:::b"]]}`, "arn:aws:s3:::b"},
		{"Select with a number", `{"Fn::Select": [0, ["arn:aws:s3:::a", "arn:aws:s3:::b"]]}`, "arn:aws:s3:::a"},
		{"Split", `{"Fn::Select": [1, {"Fn::Split": ["|", "a|arn:aws:s3:::b"]}]}`, "arn:aws:s3:::b"},
		{"Split of an ARN", `{"Fn::Join": ["", ["arn:aws:s3:::", {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": ["Named", "Arn"]}]}]}]]}`, "arn:aws:s3:::acme-uploads"},
		{"FindInMap", `{"Fn::Join": ["", ["arn:aws:s3:::", {"Fn::FindInMap": ["By", "eu-west-1", "bucket"]}]]}`, "arn:aws:s3:::mapped"},
		{"FindInMap by the Region", `{"Fn::Join": ["", ["arn:aws:s3:::b/", {"Fn::FindInMap": ["By", {"Ref": "AWS::Region"}, "bucket"]}]]}`, "arn:aws:s3:::b/mapped"},
		{"FindInMap with a default", `{"Fn::FindInMap": ["By", "none", "bucket", {"DefaultValue": "arn:aws:s3:::d"}]}`, "arn:aws:s3:::d"},
		{"a parameter", `{"Ref": "Stage"}`, "*"},
		{"a parameter in a key", `{"Fn::Sub": "arn:aws:s3:::b/${Stage}/x"}`, "arn:aws:s3:::b/*/x"},
		{"a parameter before the fifth colon", `{"Fn::Sub": "arn:aws:s3:${Stage}::b"}`, "*"},
		{"a list of parameters", `{"Fn::Join": ["", ["arn:aws:s3:::b/", {"Fn::Select": [0, {"Ref": "Names"}]}]]}`, "arn:aws:s3:::b/*"},
		{"an import", `{"Fn::Join": ["", [{"Fn::ImportValue": "BucketArn"}, "/*"]]}`, "*"},
		{"a function that nobody here knows", `{"Fn::Join": ["", ["arn:aws:s3:::b/", {"Fn::Base64": "x"}]]}`, "arn:aws:s3:::b/*"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"t.json": around(row.expression)}.one(t, Selection{Templates: []string{"t.json"}})
			st := s.Set.Sources[0].Document.Statements[0]
			if len(st.Resources) != 1 {
				t.Fatalf("%d resources", len(st.Resources))
			}
			if got := s.Show(st.Resources[0].Value); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if s.Set.Bucket != "out" || s.Prefix != "uploads/vm-01/" {
				t.Errorf("held to %s %s", s.Show(s.Set.Bucket), s.Prefix)
			}
		})
	}
}

func TestTheRegionAndTheBucketThatAreGivenAreTaken(t *testing.T) {
	s := files{"t": around(`{"Fn::Sub": "arn:${AWS::Partition}:s3:${AWS::Region}:${AWS::AccountId}:accesspoint/${AWS::URLSuffix}"}`)}.
		one(t, Selection{Templates: []string{"t"}, Region: "cn-north-1", Bucket: "mine", Prefix: "q/"})
	got := s.Show(s.Set.Sources[0].Document.Statements[0].Resources[0].Value)
	if got != "arn:aws-cn:s3:cn-north-1:${AWS::AccountId}:accesspoint/amazonaws.com.cn" || s.Set.Bucket != "mine" || s.Prefix != "q/" {
		t.Errorf("%s in %s under %s", got, s.Set.Bucket, s.Prefix)
	}
}

// In an Allow what only deployment will know is everything, in a Deny nothing.
func TestWhatIsOpenWidensAnAllowAndEmptiesADeny(t *testing.T) {
	for _, row := range []struct{ name, statement, want string }{
		{"an action of an Allow", `{"Effect": "Allow", "Action": {"Ref": "P"}, "Resource": "arn:aws:s3:::b"}`,
			`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b"}`},
		{"an action of a Deny", `{"Effect": "Deny", "Action": {"Ref": "P"}, "Resource": "*"}`, ``},
		{"one action of a Deny", `{"Effect": "Deny", "Action": ["s3:GetObject", {"Ref": "P"}], "Resource": "*"}`,
			`{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`},
		{"what an Allow leaves out", `{"Effect": "Allow", "NotAction": ["s3:GetObject", {"Ref": "P"}], "Resource": "*"}`,
			`{"Effect":"Allow","NotAction":"s3:GetObject","Resource":"*"}`},
		{"all that an Allow leaves out", `{"Effect": "Allow", "Action": "s3:*", "NotResource": {"Ref": "P"}}`,
			`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`},
		{"what a Deny leaves out", `{"Effect": "Deny", "Action": "s3:*", "NotResource": {"Ref": "P"}}`, ``},
		{"a condition of an Allow", `{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:a": {"Ref": "P"}, "aws:b": "x"}}}`,
			`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:b":"x"}}}`},
		{"all conditions of an Allow", `{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:a": {"Ref": "P"}}}}`,
			`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`},
		{"a condition of a Deny", `{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:a": {"Ref": "P"}}}}`, ``},
		{"the effect", `{"Effect": {"Ref": "P"}, "Action": "s3:*", "Resource": "*"}`, `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`},
		{"the whole statement", `{"Ref": "P"}`, `{"Effect":"Allow","Action":"*","Resource":"*"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"t": fmt.Sprintf(`{"Parameters": {"P": {"Type": "String"}}, "Resources": {"U": {"Type": "AWS::IAM::User", "Properties": {
				"Path": "/buzon/", "UserName": "u", "Policies": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [%s]}}]}}}}`, row.statement)}.
				one(t, target(Selection{Templates: []string{"t"}}))
			if row.want == "" {
				if len(s.Set.Sources[0].Document.Statements) != 0 {
					t.Errorf("kept: %s", s.Set.Sources[0].Document.JSON())
				}
				return
			}
			got := strings.Join(strings.Fields(string(s.Set.Sources[0].Document.JSON())), "")
			if want := `{"Version":"2012-10-17","Statement":[` + row.want + `]}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestEveryBranchOfAConditionIsJudged(t *testing.T) {
	found := files{"t": `{"Parameters": {"Stage": {"Type": "String"}, "Wide": {"Type": "String"}},
 "Conditions": {"Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}, "Wide": {"Fn::Equals": [{"Ref": "Wide"}, "yes"]}},
 "Resources": {
  "U": {"Type": "AWS::IAM::User", "Properties": {"UserName": "u", "Path": "/buzon/"}},
  "P": {"Type": "AWS::IAM::UserPolicy", "Condition": "Prod", "Properties": {"UserName": {"Ref": "U"}, "PolicyName": "p",
   "PolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": {"Fn::If": ["Wide", "s3:*", "s3:PutObject"]}, "Resource": "*"}}}}}}`}.
		load(t, target(Selection{Templates: []string{"t"}}))
	got := map[string]string{}
	for _, s := range found.Subjects {
		action := "nothing"
		if len(s.Set.Sources) > 0 {
			action = s.Set.Sources[0].Document.Statements[0].Actions[0].Value
		}
		got[action] = strings.Join(s.When, ", ")
	}
	want := map[string]string{
		"nothing": "${Stage} ≠ prod", "s3:*": "${Stage} = prod, ${Wide} = yes", "s3:PutObject": "${Stage} = prod, ${Wide} ≠ yes",
	}
	for action, when := range want {
		if got[action] != when {
			t.Errorf("%s when %q, want %q", action, got[action], when)
		}
	}
	if len(got) != len(want) || len(found.Subjects) != 3 {
		t.Errorf("%d subjects: %v", len(found.Subjects), got)
	}
}

// stack is what a CDK app makes, with everything that can give an uploader
// rights.
const stack = `{"Resources": {
 "Box": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"},
  "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}},
 "Guard": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Box"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Box", "Arn"]}, "/*"]]}}]}}},
 "Fence": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "fence", "Path": "/buzon/", "PolicyDocument": ` + writes + `}},
 "Team": {"Type": "AWS::IAM::Group", "Properties": {"Policies": [{"PolicyName": "own", "PolicyDocument": ` + writes + `}]}},
 "One": {"Type": "AWS::IAM::User", "Properties": {"UserName": "vm-01", "Path": "/buzon/", "PermissionsBoundary": {"Ref": "Fence"}, "Groups": [{"Ref": "Team"}],
  "Tags": [{"Key": "a", "Value": "b"}]}},
 "Two": {"Type": "AWS::IAM::User", "Properties": {"Path": "/buzon/",
  "PermissionsBoundary": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/buzon/fence"}}},
 "Add": {"Type": "AWS::IAM::UserToGroupAddition", "Properties": {"GroupName": {"Ref": "Team"}, "Users": [{"Ref": "Two"}]}},
 "Inline": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "inline", "Users": [{"Ref": "One"}], "Groups": [{"Ref": "Team"}], "PolicyDocument": ` + writes + `}},
 "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Users": ["vm-01"], "Roles": [{"Ref": "Box2"}], "PolicyDocument": ` + writes + `}},
 "Box2": {"Type": "AWS::IAM::Role", "Properties": {"Path": "/service/", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement":
  {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}}},
 "Door": {"Type": "AWS::S3::AccessPoint", "Properties": {"Name": "door", "Bucket": {"Ref": "Box"}, "Policy": ` + denies + `}},
 "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}}},
 "Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "x"}},
 "Custom": {"Type": "Custom::Thing"}
}}`

func TestATemplateGivesEachPrincipalWhatBearsOnIt(t *testing.T) {
	found := files{"t": stack}.load(t, Selection{Templates: []string{"t"}, Prefix: "uploads/{name}/"})
	if len(found.Subjects) != 2 || found.NotJudged != 1 {
		t.Fatalf("%d judged, %d not", len(found.Subjects), found.NotJudged)
	}
	want := map[string]string{
		"vm-01":  "user-inline inline, user-managed Managed, group-inline own, group-inline inline, boundary Fence, trust Box2, bucket-policy Guard, access-point Door, key-policy Key",
		"${Two}": "group-inline own, group-inline inline, boundary Fence, trust Box2, bucket-policy Guard, access-point Door, key-policy Key",
	}
	for i := range found.Subjects {
		s := &found.Subjects[i]
		name := s.Show(s.Set.Subject.Name)
		if got := documents(s); got != want[name] {
			t.Errorf("%s: %s\nwant %s", name, got, want[name])
		}
		if s.Show(s.Prefix) != "uploads/"+name+"/" || s.Show(s.Set.Bucket) != "${Box}" || s.Versioning != VersioningOn {
			t.Errorf("%s: held to %s %s", name, s.Show(s.Set.Bucket), s.Show(s.Prefix))
		}
		if got := topics(s); got != "user-policies group-policies role-trust access-point access-grants other-resources nested-stack custom-resource" {
			t.Errorf("%s: assumptions %s", name, got)
		}
		for _, src := range s.Set.Sources {
			switch src.Kind {
			case policy.BucketPolicy:
				if s.Show(src.Attached) != "arn:aws:s3:::${Box}" {
					t.Errorf("the guard hangs on %s", s.Show(src.Attached))
				}
			case policy.AccessPoint:
				if s.Show(src.Bucket) != "arn:aws:s3:::${Box}" {
					t.Errorf("the access point is before %s", s.Show(src.Bucket))
				}
			case policy.Trust:
				if s.Show(src.Attached) != "arn:aws:iam::${AWS::AccountId}:role/service/${Box2}" {
					t.Errorf("the trust policy is of %s", s.Show(src.Attached))
				}
			default:
			}
		}
		if gaps(s) != "" {
			t.Error(gaps(s))
		}
	}
	// Somebody who is named is judged, whatever the path.
	named := files{"t": stack}.load(t, Selection{Templates: []string{"t"}, Prefix: "p/", Path: "/none/", Principals: []string{"arn:aws:iam::111122223333:user/buzon/vm-01"}})
	if len(named.Subjects) != 1 || named.Subjects[0].Set.Subject.Name != "vm-01" || named.NotJudged != 2 {
		t.Errorf("named: %d judged, %d not", len(named.Subjects), named.NotJudged)
	}
}

func TestWhatATemplateLeavesOpenIsAGap(t *testing.T) {
	const user = `"U": {"Type": "AWS::IAM::User", "Properties": {"UserName": "u", "Path": "/buzon/"%s}}`
	for _, row := range []struct{ name, more, resources, want string }{
		{"a policy of AWS that isn't known", ``, fmt.Sprintf(user, `, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/OfTomorrow"]`),
			"policy-unknown arn:aws:iam::aws:policy/OfTomorrow"},
		{"a boundary from a parameter", ``, fmt.Sprintf(user, `, "PermissionsBoundary": {"Ref": "P"}`),
			"policy-unknown ${P}"},
		{"a group of another stack", ``, fmt.Sprintf(user, `, "Groups": ["ops"]`), "group-unknown ops"},
		{"a policy document from a parameter", ``, fmt.Sprintf(user, `, "Policies": [{"PolicyName": "x", "PolicyDocument": {"Ref": "P"}}]`),
			"template-unresolved x at t:2:149"},
		{"policies from a parameter", ``, fmt.Sprintf(user, `, "Policies": {"Ref": "P"}`), "template-unresolved U.Policies at t:2:110"},
		{"a policy for whoever a parameter names", ``, fmt.Sprintf(user, ``) + `, "Q": {"Type": "AWS::IAM::UserPolicy", "Properties": {"UserName": {"Ref": "P"}, "PolicyName": "q", "PolicyDocument": ` + writes + `}}`,
			"template-unresolved Q: ${P} at t:2:100"},
		{"a macro", `"Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],`, fmt.Sprintf(user, ``),
			"template-unresolved Transform AWS::Serverless-2016-10-31 at t:1:84"},
		{"resources in a loop", ``, fmt.Sprintf(user, ``) + `, "Fn::ForEach::Users": ["N", {"Ref": "P"}, {}]`, "template-unresolved Fn::ForEach::Users at t:2:100"},
		{"properties from a macro", ``, fmt.Sprintf(user, `, "Fn::Transform": {"Name": "AWS::Include"}`), "template-unresolved Fn::Transform at t:2:98"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := files{"t": `{"Parameters": {"P": {"Type": "String"}}, ` + row.more + "\n\"Resources\": {" + row.resources + `}}`}.
				one(t, target(Selection{Templates: []string{"t"}}))
			if got := gaps(s); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

func TestAMalformedTemplateIsRefusedWithItsPlaces(t *testing.T) {
	user := func(rest string) string {
		return "{\"Resources\": {\"U\": {\n\"Type\": \"AWS::IAM::User\", \"Properties\": {" + rest + "}}}}"
	}
	acts := func(resource string) string {
		return user("\n\"Policies\": [{\"PolicyName\": \"p\", \"PolicyDocument\": {\"Version\": \"2012-10-17\", \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"s3:*\",\n\"Resource\": " + resource + "}}}]")
	}
	for _, row := range []struct{ name, text, want string }{
		{"nothing", ``, "t:1:1 empty-text"},
		{"no JSON", `{"Resources": }`, "t:1:15 unexpected-text"},
		{"a list", `[]`, "t:1:1 not-a-template"},
		{"a policy", writes, "t:1:1 not-a-template"},
		{"resources that are a list", `{"Resources": []}`, "t:1:1 not-a-template"},
		{"an unknown section", `{"Resources": {}, "Permissions": {}}`, "t:1:19 unknown-part"},
		{"a resource without a type", `{"Resources": {"U": {}}}`, "t:1:21 missing-element"},
		{"a resource that is a text", `{"Resources": {"U": "AWS::IAM::User"}}`, "t:1:21 wrong-shape"},
		{"a type that is a number", `{"Resources": {"U": {"Type": 1}}}`, "t:1:30 wrong-shape"},
		{"properties in lower case", `{"Resources": {"U": {"Type": "AWS::IAM::User", "properties": {}}}}`, "t:1:48 unknown-part"},
		{"a misspelled property", user(`"Polices": []`), "t:2:42 unknown-part"},
		{"a key twice", user(`"Path": "/", "Path": "/"`), "t:2:42 written-twice"},
		{"a policy without a document", `{"Resources": {"P": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p"}}}}`, "t:1:64 missing-element"},
		{"an inline policy without a document", user(`"Policies": [{"PolicyName": "p"}]`), "t:2:55 missing-element"},
		{"a reference to nothing", acts(`{"Ref": "None"}`), "t:4:13 unknown-reference"},
		{"an attribute of nothing", acts(`{"Fn::GetAtt": ["None", "Arn"]}`), "t:4:13 unknown-reference"},
		{"a variable of nothing", acts(`{"Fn::Sub": "${None}"}`), "t:4:25 unknown-reference"},
		{"a condition that isn't there", acts(`{"Fn::If": ["None", "*", "*"]}`), "t:4:25 unknown-reference"},
		{"a map that isn't there", acts(`{"Fn::FindInMap": ["a", "b", "c"]}`), "t:4:13 unknown-reference"},
		{"Join with one part", acts(`{"Fn::Join": ["a"]}`), "t:4:13 bad-intrinsic"},
		{"Select beyond the end", acts(`{"Fn::Select": [1, ["a"]]}`), "t:4:13 bad-intrinsic"},
		{"Ref of a list", acts(`{"Ref": []}`), "t:4:13 bad-intrinsic"},
		{"an element that no policy has", acts(`"*", "Resources": "*"`), "t:4:18 misspelled-element"},
		{"an ARN that isn't one", acts(`"bucket"`), "t:4:13 bad-arn"},
		{"an unknown operator", acts(`"*", "Condition": {"StringIs": {"aws:a": "b"}}`), "t:4:32 unknown-operator"},
		{"a user with its own name", user(`"UserName": {"Ref": "U"}`), "t:1:16 circular"},
		{"conditions in a circle", `{"Conditions": {"A": {"Condition": "B"}, "B": {"Condition": "A"}}, "Resources": {"U": {"Type": "AWS::IAM::User", "Condition": "A"}}}`, "t:1:48 circular"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := (files{"t": row.text}).faults(t, target(Selection{Templates: []string{"t"}})); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// A branch in which something refers to a resource that the branch takes away
// can't be deployed; it is no reason to refuse the template.
func TestAReferenceIntoAnotherBranchIsNoFault(t *testing.T) {
	found := files{"t": `{"Parameters": {"S": {"Type": "String"}}, "Conditions": {"A": {"Fn::Equals": [{"Ref": "S"}, "a"]}},
 "Resources": {"G": {"Type": "AWS::IAM::Group", "Condition": "A"},
  "U": {"Type": "AWS::IAM::User", "Properties": {"UserName": "u", "Path": "/buzon/", "Groups": [{"Ref": "G"}]}}}}`}.
		load(t, target(Selection{Templates: []string{"t"}}))
	if len(found.Subjects) != 2 {
		t.Errorf("%d subjects", len(found.Subjects))
	}
}
