package terraform

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"buzon/agent/policy"
)

// A naming is an attribute that names principals who get a right without a policy
// document, and what CloudFormation calls it.
type naming struct{ attribute, kind, property string }

// namings are the resources with such attributes (the list of the sources says what
// they mean).
var namings = map[string]naming{
	"aws_cloudwatch_event_permission":                    {"principal", "AWS::Events::EventBusPolicy", "Principal"},
	"aws_eks_access_entry":                               {"principal_arn", "AWS::EKS::AccessEntry", "PrincipalArn"},
	"aws_eks_access_policy_association":                  {"principal_arn", "AWS::EKS::AccessEntry", "PrincipalArn"},
	"aws_kms_grant":                                      {"grantee_principal", KMSGrant, "GranteePrincipal"},
	"aws_lakeformation_data_lake_settings":               {"admins", "AWS::LakeFormation::DataLakeSettings", "Admins.DataLakePrincipalIdentifier"},
	"aws_lakeformation_permissions":                      {"principal", "AWS::LakeFormation::Permissions", "DataLakePrincipal.DataLakePrincipalIdentifier"},
	"aws_lambda_layer_version_permission":                {"principal", "AWS::Lambda::LayerVersionPermission", "Principal"},
	"aws_licensemanager_grant":                           {"principal", "AWS::LicenseManager::Grant", "Principals"},
	"aws_opensearchserverless_access_policy":             {"policy", "AWS::OpenSearchServerless::AccessPolicy", "Policy"},
	"aws_ram_principal_association":                      {"principal", "AWS::RAM::PrincipalAssociation", "Principal"},
	"aws_servicecatalog_principal_portfolio_association": {"principal_arn", "AWS::ServiceCatalog::PortfolioPrincipalAssociation", "PrincipalARN"},
	"aws_signer_signing_profile_permission":              {"principal", "AWS::Signer::ProfilePermission", "Principal"},
	"aws_vpc_endpoint_service":                           {"allowed_principals", "AWS::EC2::VPCEndpointServicePermissions", "AllowedPrincipals"},
	"aws_vpc_endpoint_service_allowed_principal":         {"principal_arn", "AWS::EC2::VPCEndpointServicePermissions", "AllowedPrincipals"},
}

// harmless are the resources whose documents only narrow what somebody may do, or
// speak of principals of another kind, as the list of the sources has it for
// CloudFormation's.
var harmless = []string{
	"aws_cloudwatch_log_account_policy", "aws_cloudwatch_log_data_protection_policy", "aws_eks_pod_identity_association",
	"aws_iot_policy", "aws_networkmanager_core_network", "aws_networkmanager_core_network_policy_attachment",
	"aws_organizations_policy", "aws_rolesanywhere_profile", "aws_sns_topic_data_protection_policy",
	"aws_ssoadmin_permission_set_inline_policy", "aws_transfer_access", "aws_transfer_user", "aws_verifiedaccess_endpoint",
	"aws_verifiedaccess_group", "aws_vpc_endpoint", "aws_vpc_endpoint_policy",
}

// makers are the resources that make others, which no plan shows.
var makers = []string{
	"aws_cloudcontrolapi_resource", "aws_cloudformation_stack", "aws_cloudformation_stack_instances", "aws_cloudformation_stack_set",
	"aws_cloudformation_stack_set_instance", "aws_serverlessapplicationrepository_cloudformation_stack",
	"aws_servicecatalog_provisioned_product",
}

// holding are attributes that hold policy documents, of whatever resource: where
// one of them is known after apply only, what it grants is not known.
var holding = []string{"policy", "policy_document", "resource_policy", "access_policy", "access_policies", "bucket_policy", "assume_role_policy"}

// other looks for policies in a resource that no rule knows, in whatever attribute.
func (p *plan) other(r planned, add func(kind string, members ...policy.Member)) {
	switch n, named := namings[r.kind]; {
	case named:
		add(n.kind, m(n.property, r.value(n.attribute)))
		return
	case slices.Contains(harmless, r.kind):
		return
	case slices.Contains(makers, r.kind), strings.HasPrefix(r.kind, "awscc_iam_"), strings.HasPrefix(r.kind, "awscc_s3_"),
		strings.HasPrefix(r.kind, "awscc_kms_"):
		p.notKnown(r.address, "")
		return
	}
	for _, attribute := range holding {
		if r.open(attribute) && r.configured(attribute) {
			p.notKnown(r.address, attribute)
		}
	}
	var found []policy.Member
	for _, attribute := range sorted(r.values) {
		if !r.configured(attribute) && p.speaksOf(r.kind+"_policy", r.isNamedBy) {
			continue // read back from what another resource writes, or wrote
		}
		r.documents(r.values[attribute], attribute, &found)
	}
	if len(found) > 0 {
		add("Terraform::"+r.kind, found...)
		for _, attribute := range []string{"resource_arn", "secret_arn", "topic_arn", "queue_arn", "arn"} {
			if arn, _ := r.values[attribute].(string); strings.HasPrefix(arn, "arn:") {
				p.out.Attached[r.address] = arn
				break
			}
		}
	}
}

// documents are the policies that stand as texts in a value at any depth.
func (r planned) documents(v any, where string, found *[]policy.Member) {
	switch x := v.(type) {
	case string:
		if !strings.Contains(x, `"Statement"`) {
			return
		}
		n := text(x, nowhere)
		if doc, err := policy.ReadJSON(r.place(r.address, where), []byte(x)); err == nil {
			n = doc
			r.out.Documents[n] = Text{r.address + "." + where, []byte(x)}
		}
		*found = append(*found, m(where, n))
	case []any:
		for _, item := range x {
			r.documents(item, where, found)
		}
	case map[string]any:
		for _, key := range sorted(x) {
			r.documents(x[key], where+"."+key, found)
		}
	}
}

// isNamedBy reports whether a value of another resource is what this one is called.
func (r planned) isNamedBy(values map[string]any) bool {
	for _, v := range values {
		s, ok := v.(string)
		if !ok || s == "" {
			continue
		}
		for _, own := range []string{"arn", "id", "url", "name", "bucket", "key_id"} {
			if r.values[own] == s {
				return true
			}
		}
	}
	return false
}

// speaksOf reports whether the plan changes, keeps or deletes a resource of a type of
// which something holds, before or after.
func (p *plan) speaksOf(kind string, holds func(values map[string]any) bool) bool {
	return slices.ContainsFunc(p.changed[kind], func(c *tfjson.ResourceChange) bool {
		before, _ := c.Change.Before.(map[string]any)
		after, _ := c.Change.After.(map[string]any)
		return holds(before) || holds(after)
	})
}

// forget takes what the plan stops to manage without deleting it (a block "removed"):
// it stands after the plan as before.
func (p *plan) forget(c *tfjson.ResourceChange) {
	before, ok := c.Change.Before.(map[string]any)
	if !ok || c.Mode != tfjson.ManagedResourceMode || !slices.Contains(c.Change.Actions, tfjson.ActionForget) {
		return
	}
	address := c.Address
	if p.values[address] != nil {
		address += " (forgotten)"
	}
	p.values[address] = &tfjson.StateResource{Address: address, Mode: c.Mode, Type: c.Type, Name: c.Name, AttributeValues: before}
}

func (p *plan) notKnown(address, attribute string) {
	if attribute != "" {
		address += "." + attribute
	}
	p.out.Open = append(p.out.Open, address)
}

// deferred names the resources of changes that were put off: nobody knows yet what
// they will be.
func (p *plan) deferred() {
	for _, d := range p.tf.DeferredChanges {
		if d.ResourceChange != nil && strings.HasPrefix(d.ResourceChange.Type, "aws") && d.ResourceChange.Mode == tfjson.ManagedResourceMode {
			p.notKnown(d.ResourceChange.Address, "")
		}
	}
}
