package audit

import (
	"strings"
	"testing"
)

// planRole is an uploader that is a role, as the provider reads it back: its inline
// policies and attachments, by whatever resource they were made.
func planRole(inline []any, arns ...string) thing {
	return thing{address: "aws_iam_role.up", reads: []string{"inline_policy", "managed_policy_arns"}, values: object{
		"name": "up", "path": "/buzon/", "arn": account + "role/buzon/up", "inline_policy": inline, "managed_policy_arns": arns,
		"assume_role_policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
	}}
}

// What a provider reads back of a resource may be what another resource of the plan
// writes, changes or takes away: that one is right.
func TestWhatAProviderReadsBack(t *testing.T) {
	const full = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
	writes := document(allow("s3:PutObject", "arn:aws:s3:::acme-uploads/uploads/up/*"))
	reads := document(allow("s3:PutObject", "arn:aws:s3:::acme-uploads/uploads/up/*"), allow("s3:GetObject", "arn:aws:s3:::acme-uploads/*"))
	denies := document(deny("s3:GetObject", "*"))
	inline := func(name, text string) object { return object{"name": name, "policy": text} }
	own := func(name, text string) thing {
		return thing{address: "aws_iam_role_policy." + name, values: object{"role": "up", "name": name, "policy": text}}
	}
	gone := func(x thing) thing { x.gone = true; return x }
	changed := own("w", writes)
	changed.before = object{"role": "up", "name": "w", "policy": reads}
	attached := thing{address: "aws_iam_role_policy_attachment.a", values: object{"role": "up", "policy_arn": full}}
	guard := document(deny("s3:GetObject", "arn:aws:s3:::acme-uploads/*", `"Principal":"*"`))
	bucket := thing{address: "aws_s3_bucket.b", reads: []string{"policy"}, values: object{
		"bucket": "acme-uploads", "id": "acme-uploads", "arn": "arn:aws:s3:::acme-uploads", "policy": guard,
		"versioning": []any{object{"enabled": true}},
	}}
	guardOf := thing{address: "aws_s3_bucket_policy.g", values: object{"bucket": "acme-uploads", "policy": guard}}
	queue := "arn:aws:sqs:eu-west-1:111122223333:q"
	lets := document(allow("sqs:SendMessage", queue, `"Principal":{"AWS":"`+account+`role/buzon/up"}`))
	readQueue := thing{address: "aws_sqs_queue.q", reads: []string{"policy"}, values: object{"arn": queue, "id": "q", "url": "q", "policy": lets}}
	for _, row := range []struct {
		name    string
		things  []thing
		verdict Verdict
		rule    string
	}{
		{"an inline policy that is changed", []thing{planRole([]any{inline("w", reads)}), changed}, WriteOnly, ""},
		{"a Deny that goes", []thing{planRole([]any{inline("w", reads), inline("d", denies)}), own("w", reads), gone(own("d", denies))}, Violation, "read-object"},
		{"a Deny that stays", []thing{planRole([]any{inline("w", reads), inline("d", denies)}), own("w", reads), own("d", denies)}, WriteOnly, ""},
		{"an Allow that goes", []thing{planRole([]any{inline("w", writes), inline("x", reads)}), own("w", writes), gone(own("x", reads))}, WriteOnly, ""},
		{"one that is no part of the plan", []thing{planRole([]any{inline("w", writes), inline("x", reads)}), own("w", writes)}, Violation, "read-object"},
		{"an attachment that goes", []thing{planRole([]any{inline("w", writes)}, full), gone(attached)}, WriteOnly, ""},
		{"an attachment that stays", []thing{planRole([]any{inline("w", writes)}, full), attached}, Violation, "read-object"},
		{"an attachment that is no part of the plan", []thing{planRole([]any{inline("w", writes)}, full)}, Violation, "read-object"},
		{"a guard that goes", []thing{planRole([]any{inline("w", reads)}), bucket, gone(guardOf)}, Violation, "read-object"},
		{"a guard that stays", []thing{planRole([]any{inline("w", reads)}), bucket, guardOf}, WriteOnly, ""},
		{"a guard that is no part of the plan", []thing{planRole([]any{inline("w", reads)}), bucket}, WriteOnly, ""},
		{"a queue's policy that goes", []thing{planRole([]any{inline("w", writes)}), readQueue,
			gone(thing{address: "aws_sqs_queue_policy.q", values: object{"queue_url": "q", "policy": lets}})}, WriteOnly, ""},
		{"a queue's policy that is no part of the plan", []thing{planRole([]any{inline("w", writes)}), readQueue}, Violation, "other-service"},
		{"a role that is made, with what isn't known yet", []thing{
			{address: "aws_iam_role.up", reads: []string{"inline_policy", "managed_policy_arns"}, values: object{
				"name": "up", "path": "/buzon/", "assume_role_policy": planRole(nil).values["assume_role_policy"],
			}, unknown: object{"arn": true, "id": true, "inline_policy": true, "managed_policy_arns": true}}, own("w", writes)}, WriteOnly, ""},
	} {
		t.Run(row.name, func(t *testing.T) { heldTo(t, row.verdict, row.rule, row.things...) })
	}
}

func heldTo(t *testing.T, verdict Verdict, rule string, things ...thing) {
	t.Helper()
	found, err := loadPlan(t, planOf(t, things...))
	if err != nil {
		t.Fatal(err)
	}
	report := Judge(t.Context(), found, Options{})
	p := &report.Principals[0]
	if report.Verdict != verdict || !strings.Contains(" "+rules(p)+" ", " "+rule+" ") && rule != "" {
		t.Errorf("%s with %q, want %s with %s\n%+v", report.Verdict, rules(p), verdict, rule, p.Undecided)
	}
}

// A block "removed" takes a resource out of Terraform's hands and lets it stand.
func TestWhatAPlanForgetsStands(t *testing.T) {
	reads := thing{address: "aws_iam_user_policy.more", values: object{"user": "vm-01", "name": "more", "policy": readAll}}
	forgot := reads
	forgot.forgot = true
	gone := reads
	gone.gone = true
	attached := thing{address: "aws_iam_user_policy_attachment.more", values: object{"user": "vm-01", "policy_arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}, forgot: true}
	trust := role("aws_iam_role.admin", `{"AWS":"`+account+`user/buzon/vm-01"}`)
	trust.forgot = true
	heldTo(t, Violation, "read-object", planUser, planPolicy, forgot)
	heldTo(t, WriteOnly, "", planUser, planPolicy, gone)
	heldTo(t, Violation, "read-object", planUser, planPolicy, attached)
	heldTo(t, Violation, "escalate", planUser, planPolicy, trust)
}

// What gives rights means the same in a plan as in a template.
func TestResourcesOfThePlanThatHoldPolicies(t *testing.T) {
	const user, other = account + "user/buzon/vm-01", account + "user/other"
	anybody := `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	directory := "b--use1-az4--x-s3"
	session := document(allow("s3express:CreateSession", "arn:aws:s3express:us-east-1:111122223333:bucket/"+directory, `"Principal":{"AWS":"`+user+`"}`))
	refers := object{"bucket": []string{"aws_s3_directory_bucket.d.bucket", "aws_s3_directory_bucket.d"}}
	for _, row := range []struct {
		name    string
		things  []thing
		verdict Verdict
		rule    string
	}{
		{"an endpoint's policy only narrows", []thing{{address: "aws_vpc_endpoint.e", values: object{"arn": "arn:aws:ec2:eu-west-1:111122223333:vpc-endpoint/vpce-1", "policy": anybody}}}, WriteOnly, ""},
		{"one that isn't there yet", []thing{{address: "aws_vpc_endpoint.e", values: object{}, unknown: object{"policy": true, "arn": true}}}, WriteOnly, ""},
		{"a user of Transfer Family", []thing{{address: "aws_transfer_user.u", values: object{"policy": readAll}}}, WriteOnly, ""},
		{"a control policy", []thing{{address: "aws_organizations_policy.p", values: object{"content": readAll}}}, WriteOnly, ""},
		{"a cluster lets the user in", []thing{{address: "aws_eks_access_entry.e", values: object{"principal_arn": user}}}, NoVerdict, ""},
		{"a cluster lets another in", []thing{{address: "aws_eks_access_entry.e", values: object{"principal_arn": other}}}, WriteOnly, ""},
		{"tables are shared with the user", []thing{{address: "aws_lakeformation_permissions.e", values: object{"principal": user}}}, NoVerdict, ""},
		{"a grant of a key", []thing{{address: "aws_kms_grant.g", values: object{"grantee_principal": user, "key_id": "k"}}}, NoVerdict, ""},
		{"a grant of a key to another", []thing{{address: "aws_kms_grant.g", values: object{"grantee_principal": other, "key_id": "k"}}}, WriteOnly, ""},
		{"a grant of a key to whom nobody knows", []thing{{address: "aws_kms_grant.g", values: object{"key_id": "k"}, unknown: object{"grantee_principal": true}}}, NoVerdict, ""},
		{"an event bus that takes from everybody", []thing{{address: "aws_cloudwatch_event_permission.p", values: object{"principal": "*"}}}, NoVerdict, ""},
		{"a function for one account's calls", []thing{{address: "aws_lambda_permission.p", values: object{"function_name": "f", "action": "lambda:InvokeFunction", "principal": "*", "source_account": "444455556666"}}}, WriteOnly, ""},
		{"a function for everybody", []thing{{address: "aws_lambda_permission.p", values: object{"function_name": "f", "action": "lambda:InvokeFunction", "principal": "*"}}}, Violation, "escalate"},
		{"a policy in a block", []thing{{address: "aws_s3control_multi_region_access_point_policy.p", values: object{"details": []any{object{
			"name": "m", "policy": document(allow("s3:GetObject", "arn:aws:s3::111122223333:accesspoint/m.mrap/object/*", `"Principal":{"AWS":"`+user+`"}`))}}}}}, Violation, "read-object"},
		{"a directory bucket", []thing{{address: "aws_s3_bucket_policy.p", values: object{"bucket": directory, "policy": session}}}, Violation, "read-object"},
		{"a directory bucket that isn't there yet", []thing{{address: "aws_s3_directory_bucket.d", unknown: object{"bucket": true}},
			{address: "aws_s3_bucket_policy.p", values: object{"policy": session}, unknown: object{"bucket": true}, refers: refers}}, Violation, "read-object"},
		{"a script that speaks of statements", []thing{{address: "aws_instance.i", values: object{"user_data": "echo '{\"Statement\": 1' > f"}}}, NoVerdict, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			heldTo(t, row.verdict, row.rule, append([]thing{planUser, planPolicy}, row.things...)...)
		})
	}
}

// What is known after apply only is what it refers to where it can be nothing else.
func TestWhatRefersToWhatIsMade(t *testing.T) {
	denies := document(deny("s3:GetObject", "*"))
	reads := document(allow("s3:PutObject", "arn:aws:s3:::acme-uploads/uploads/*"), allow("s3:GetObject", "arn:aws:s3:::acme-uploads/*"))
	built := func(address, path string) thing {
		return thing{address: address, values: object{"path": path}, unknown: object{"name": true, "arn": true},
			refers: object{"name": []string{"random_id.r.hex", "random_id.r"}}}
	}
	to := func(name string) object { return object{"user": []string{name + ".name", name}} }
	t.Run("two names of one text", func(t *testing.T) {
		heldTo(t, Violation, "read-object", built("aws_iam_user.a", "/buzon/"), built("aws_iam_user.b", "/other/"),
			thing{address: "aws_iam_user_policy.a", values: object{"name": "w", "policy": reads}, unknown: object{"user": true}, refers: to("aws_iam_user.a")},
			thing{address: "aws_iam_user_policy.b", values: object{"name": "d", "policy": denies}, unknown: object{"user": true},
				refers: object{"user": []string{"random_id.r.hex", "random_id.r"}}})
	})
	t.Run("a name of what is no part of AWS", func(t *testing.T) {
		heldTo(t, WriteOnly, "", planUser, planPolicy, thing{address: "random_pet.p", unknown: object{"id": true}},
			thing{address: "aws_s3_bucket.b", unknown: object{"bucket": true, "id": true, "arn": true}, refers: object{"bucket": []string{"random_pet.p.id", "random_pet.p"}}})
	})
	t.Run("the id of a data source", func(t *testing.T) {
		heldTo(t, NoVerdict, "", planUser, planPolicy, thing{address: "data.aws_iam_policy.p", data: true, values: object{}},
			thing{address: "aws_iam_user_policy_attachment.a", values: object{"user": "vm-01"}, unknown: object{"policy_arn": true},
				refers: object{"policy_arn": []string{"data.aws_iam_policy.p.id", "data.aws_iam_policy.p"}}})
	})
	t.Run("a bucket by what stands beside it", func(t *testing.T) {
		heldTo(t, Violation, "read-object", planUser, planPolicy,
			thing{address: "aws_s3_bucket.b", values: object{"bucket": "acme-uploads"}, unknown: object{"id": true, "arn": true}},
			thing{address: "aws_s3_bucket_public_access_block.b", unknown: object{"bucket": true, "id": true}, refers: object{"bucket": []string{"aws_s3_bucket.b.id", "aws_s3_bucket.b"}}},
			thing{address: "aws_s3_bucket_policy.p", values: object{"policy": document(allow("s3:GetObject", "arn:aws:s3:::acme-uploads/*", `"Principal":"*"`))},
				unknown: object{"bucket": true}, refers: object{"bucket": []string{"aws_s3_bucket_public_access_block.b.bucket", "aws_s3_bucket_public_access_block.b"}}})
	})
}
