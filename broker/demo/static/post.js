// The page holds one form that carries a message onwards; press its button for the reader.
document.forms[0].submit();
