/** The name of the device authorization grant on the wire: in requests, registrations and metadata. RFC 8628 §3.4, §4 */
export const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code'
